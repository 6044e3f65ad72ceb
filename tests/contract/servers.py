"""Servers that speak the Redis protocol, for the store contract suites. The default is Valkey, as in the local stack.

Set TIDECAST_TEST_REDIS_SERVER=/path/to/redis-server to test another server."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import redis

from agents.stack.parts import valkey_server
from sinks.redis.client import connect
from streams.errors import Unavailable
from tests.waiting import until


@dataclass(frozen=True)
class Server:
    """A test server with its folder and a client."""

    folder: Path
    process: subprocess.Popen[bytes]
    client: redis.Redis

    def connect(self, user: str = "") -> redis.Redis:
        """Return another client with its own connection. `user` has the form `name:password`."""
        return connect(f"unix://{user}{'@' if user else ''}{self.folder / 'redis.sock'}")


def program() -> str:
    """Return the path of the server to test."""
    return os.environ.get("TIDECAST_TEST_REDIS_SERVER") or str(valkey_server())


@contextmanager
def server_folder() -> Iterator[Path]:
    """Create a temporary folder and delete it at the end. Its path is short: a socket path has at most 107 bytes."""
    folder = Path(tempfile.mkdtemp(prefix="tc-redis-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@contextmanager
def redis_server(*options: str, folder: Path | None = None, answers: bool = True) -> Iterator[Server]:
    """Run a server on a unix socket, by default in its own folder. With `answers`, wait until it is ready."""
    if folder is None:
        with server_folder() as own, redis_server(*options, folder=own, answers=answers) as server:
            yield server
        return
    command = ["--port", "0", "--unixsocket", str(folder / "redis.sock"), "--save", "", "--dir", str(folder), *options]
    with running(command, folder) as process:
        client = connect(f"unix://{folder / 'redis.sock'}")
        try:
            if answers:
                wait_for(client, process)
            yield Server(folder, process, client)
        finally:
            client.close()


@contextmanager
def running(arguments: Sequence[str], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server with these arguments and stop it at the end. Its output goes to the file `log` in the folder.

    The server ignores SIGXFSZ, as Python does. A limit on its file size therefore acts like a full disk."""
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen([program(), *arguments], stdout=log, stderr=log, restore_signals=False)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def wait_for(client: redis.Redis, process: subprocess.Popen[bytes]) -> None:
    """Wait until the server answers. A request for a password counts as an answer."""

    def answers() -> bool:
        if process.poll() is not None:
            raise RuntimeError("the test's server ended while starting")
        try:
            return bool(client.ping())
        except redis.AuthenticationError:
            return True

    until_it_works(answers)


def until_it_works(action: Callable[[], object]) -> None:
    """Repeat the action until it returns something true. Redis errors and Unavailable count as false."""

    def works() -> bool:
        with suppress(redis.RedisError, Unavailable):
            return bool(action())
        return False

    until(works)
