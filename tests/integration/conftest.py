"""The real servers for the integration tests: one stack a session, on free ports, in a temporary folder."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from agents.stack import ports, supervise
from agents.stack.parts import Kafka
from agents.stack.place import StackFolder
from agents.stack.supervise import down, up
from tests.waiting import PATIENCE_S


@dataclass(frozen=True)
class Stack:
    """A running local stack."""

    folder: Path
    kafka: str
    registry: str
    redis: str
    clickhouse: str
    model_store: str
    signing_key: str
    env: dict[str, str]
    """The environment for subprocesses: this process' own, with the stack's data folder."""

    @classmethod
    def of(cls, place: StackFolder) -> "Stack":
        ours = {name: value for name, value in os.environ.items() if not name.startswith("TIDECAST_")}
        kept = {name: os.environ[name] for name in ("TIDECAST_CACHE",) if name in os.environ}
        env = {**ours, **kept, "TIDECAST_DATA": str(place.folder)}
        return cls(place.folder, **place.addresses(), signing_key=place.signing_key, env=env)


BROKER_SESSION = {"broker.session.timeout.ms": 3000, "broker.heartbeat.interval.ms": 500}


@pytest.fixture(scope="session", autouse=True)
def prompt_servers() -> Iterator[None]:
    """Servers that are started often: compiled quickly rather than well; and a broker that was killed is let in again
    when its former self's session has ended, which by default takes 9 s. Each process that shares the tests has ports
    of its own: between choice and start no other one takes them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAVA_TOOL_OPTIONS", "-XX:TieredStopAtLevel=1")
        patch.setattr(supervise, "START_TIMEOUT", PATIENCE_S)
        number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
        count = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
        patch.setattr(ports, "CHOICE", ports.CHOICE[number::count])
        usual = Kafka.properties
        patch.setattr(Kafka, "properties", staticmethod(lambda place: {**usual(place), **BROKER_SESSION}))
        yield


@pytest.fixture(scope="session")
def stack(prompt_servers: None) -> Iterator[Stack]:
    """Real Kafka, registry, Redis and ClickHouse, ended with the session however it goes."""
    # not pytest's own folder: its path can be too long for a socket
    folder = Path(tempfile.mkdtemp(prefix="tidecast-test-"))
    try:
        yield Stack.of(up(folder, print))
    finally:
        down(folder, wipe=True)
        shutil.rmtree(folder, ignore_errors=True)


Tidecast = Callable[..., "subprocess.CompletedProcess[str]"]


def tidecast_command(*arguments: str) -> list[str]:
    """The command line of `tidecast ARGUMENTS` with this Python, installed as a script or not."""
    return [sys.executable, "-c", "from agents.cli import main; main()", *arguments]


@contextmanager
def retail_deployed(stack: Stack, name: str) -> Iterator[None]:
    """Retail deployed under a topic prefix of its own, which this process and `stack.env` use meanwhile."""
    prefix = f"{name}-{os.getpid()}-"
    stack.env["TIDECAST_TOPIC_PREFIX"] = prefix
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TIDECAST_DATA", str(stack.folder))
        patch.setenv("TIDECAST_TOPIC_PREFIX", prefix)
        done = subprocess.run(tidecast_command("deploy", "retail"), env=stack.env, check=False, capture_output=True)
        assert done.returncode == 0, done.stderr
        yield
    del stack.env["TIDECAST_TOPIC_PREFIX"]


@pytest.fixture
def tidecast(stack: Stack) -> Tidecast:
    """`tidecast("status", check=False)` runs the command against the stack and returns what it printed.

    Raises AssertionError with its output when it fails and `check` is true.
    """

    def run(*arguments: str, check: bool = True, timeout: float = PATIENCE_S) -> "subprocess.CompletedProcess[str]":
        done = subprocess.run(
            tidecast_command(*arguments),
            env=stack.env,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=timeout,
            check=False,
        )
        if check and done.returncode:
            raise AssertionError(f"tidecast {' '.join(arguments)}: {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    return run
