"""The commands of docker-compose.yml are run as the image runs them: user, folders, environment and mounts.

The services' user may write only to what the Dockerfile gives to it. Addresses are those of the test's servers."""

import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from agents.cli.define.init import write_starter
from agents.stages import STAGES
from tests.integration.conftest import Stack, tidecast_command
from tests.integration.servers.composed import ROOT, composed, needs_go
from tests.waiting import exit_code, until

pytestmark = needs_go
PORT = "9464"
NO_RIGHTS = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []
"""Take root's right to write everywhere away."""


@dataclass(frozen=True)
class Image:
    """The folders of the image below a folder of the test."""

    root: Path
    workdir: str
    variables: dict[str, str]

    @classmethod
    def of(cls, dockerfile: str, root: Path) -> "Image":
        text = dockerfile.replace("\\\n", " ")
        [workdir] = re.findall(r"^WORKDIR (\S+)$", text, re.M)
        given = " ".join(re.findall(r"^ENV (.+)$", text, re.M))
        [owned] = re.findall(r"install -d -o tidecast (.+)$", text, re.M)
        (root / workdir[1:]).mkdir(parents=True)
        (root / workdir[1:]).chmod(0o555)
        for folder in owned.split():
            (root / folder[1:]).mkdir(parents=True)
        for folder in root.rglob("*"):
            if f"/{folder.relative_to(root)}" not in owned.split():
                folder.chmod(0o555)
        return cls(root, workdir, dict(word.split("=", 1) for word in shlex.split(given)))

    def place(self, text: str) -> str:
        """Return the text with the image's folders replaced by the test's."""
        return re.sub(r"(?<![\w.])/(var/lib|usecases)\b", rf"{self.root}/\1", text)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    return Image.of((ROOT / "Dockerfile").read_text(), tmp_path_factory.mktemp("image"))


@pytest.fixture(scope="module")
def services(image: Image, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """The services, with a use case of one's own."""
    folder = tmp_path_factory.mktemp("usecases")
    write_starter(folder / "myshop")
    found = composed(USE_CASES_FOLDER=str(folder), TIDECAST_USE_CASE="/usecases/myshop")
    image.root.chmod(0o755)
    (image.root / "usecases").symlink_to(folder)
    for path in folder.rglob("*"):
        path.chmod(0o555 if path.is_dir() else 0o444)
    yield found
    for path in [*image.root.rglob("*"), *folder.rglob("*")]:
        if path.is_dir():
            path.chmod(0o755)


def environment(image: Image, service: dict[str, Any], stack: Stack) -> dict[str, str]:
    """Return the service's variables with the addresses and passwords of the test's servers."""
    own = {name: image.place(value) for name, value in (image.variables | service["environment"]).items()}
    own |= {"TIDECAST_KAFKA": stack.kafka, "TIDECAST_REGISTRY": stack.registry, "TIDECAST_REDIS_URL": stack.redis}
    own |= {"TIDECAST_CLICKHOUSE_URL": stack.clickhouse, "TIDECAST_CLICKHOUSE_USER": "default"}
    own |= {"TIDECAST_REDIS_PASSWORD": "", "TIDECAST_CLICKHOUSE_PASSWORD": ""}
    own |= {"TIDECAST_TOPIC_PREFIX": f"compose-{os.getpid()}-", "PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]}
    return own


@contextmanager
def started(image: Image, service: dict[str, Any], stack: Stack, port: str) -> Iterator["subprocess.Popen[str]"]:
    arguments = [port if word == PORT else image.place(word) for word in service["command"]]
    process = subprocess.Popen(
        [*NO_RIGHTS, *tidecast_command(*arguments)],
        cwd=f"{image.root}{image.workdir}",
        env=environment(image, service, stack),
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def run_deploy(image: Image, services: dict[str, Any], stack: Stack) -> None:
    with started(image, services["deploy"], stack, PORT) as process:
        _, said = process.communicate()
        assert process.returncode == 0, said


def test_the_user_of_the_services_cannot_write_elsewhere(image: Image) -> None:
    """The tests below would show nothing if it could."""
    touch = [*NO_RIGHTS, "touch", f"{image.root}{image.workdir}/x"]
    assert subprocess.run(touch, capture_output=True, check=False).returncode != 0


def test_deploy_ends_well_as_often_as_it_runs(image: Image, services: dict[str, Any], stack: Stack) -> None:
    run_deploy(image, services, stack)
    run_deploy(image, services, stack)


@pytest.mark.parametrize("name", list(STAGES))
def test_a_worker_starts_becomes_healthy_and_ends_well(
    image: Image, services: dict[str, Any], stack: Stack, name: str
) -> None:
    run_deploy(image, services, stack)
    shutil.rmtree(f"{image.root}/var/lib/tidecast/run", ignore_errors=True)
    (image.root / "var/lib/tidecast/use-case").unlink(missing_ok=True)  # the data folder of a container is its own
    port = str(free_port())
    how, program, *arguments = services[name]["healthcheck"]["test"]
    assert (how, program) == ("CMD", "python")
    ask = [sys.executable, *(word.replace(PORT, port) for word in arguments)]
    with started(image, services[name], stack, port) as process:

        def is_healthy() -> bool:
            assert process.poll() is None, process.communicate()[1]
            return subprocess.run(ask, capture_output=True, check=False).returncode == 0

        until(is_healthy, f"the health of {name}")
        process.terminate()
        assert exit_code(process) == 0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
