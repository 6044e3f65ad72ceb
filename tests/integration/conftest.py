"""Real servers for the integration tests: one stack per session, on free ports and in a temporary folder."""

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
    signing_keys: str
    env: dict[str, str]
    """The environment for subprocesses: this process's environment with the stack's data folder."""

    @classmethod
    def of(cls, place: StackFolder) -> "Stack":
        ours = {name: value for name, value in os.environ.items() if not name.startswith("TIDECAST_")}
        kept = {name: os.environ[name] for name in ("TIDECAST_CACHE",) if name in os.environ}
        env = {**ours, **kept, "TIDECAST_DATA": str(place.folder)}
        return cls(place.folder, **place.addresses(), signing_keys=place.signing_keys, env=env)


BROKER_SESSION = {"broker.session.timeout.ms": 3000, "broker.heartbeat.interval.ms": 500}


@pytest.fixture(scope="session", autouse=True)
def prompt_servers() -> Iterator[None]:
    """Make servers start fast and give each test process its own ports.

    The JVM compiles only to the first tier. A broker rejoins after a kill when the session of its predecessor ends.
    That takes 3 s here and 9 s by default. No other test process can take a port between its choice and its use."""
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
    """Run Kafka, a registry, Redis and ClickHouse for the session. Stop them at the end, also after a failure."""
    # pytest's own folder may have too long a path for a socket
    folder = Path(tempfile.mkdtemp(prefix="tidecast-test-"))
    try:
        yield Stack.of(up(folder, print))
    finally:
        down(folder, wipe=True)
        shutil.rmtree(folder, ignore_errors=True)


Tidecast = Callable[..., "subprocess.CompletedProcess[str]"]


def tidecast_command(*arguments: str) -> list[str]:
    """Return the command line of `tidecast ARGUMENTS` with this Python. The script need not be installed."""
    return [sys.executable, "-c", "from agents.cli import main; main()", *arguments]


@contextmanager
def retail_deployed(stack: Stack, name: str) -> Iterator[None]:
    """Deploy retail under its own topic prefix. This process and `stack.env` use the prefix in the meantime."""
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
    """Return a function that runs a command against the stack: `tidecast("status", check=False)`.

    The function returns the completed process. It raises AssertionError with the output when the command fails and
    `check` is true."""

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
