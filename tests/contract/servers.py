"""Servers with Redis' protocol for the suites that every store must pass: Valkey, as the local stack runs it.

TIDECAST_TEST_REDIS_SERVER=/path/to/redis-server runs the suites on another one."""

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
    """A server of a test, its folder and a client of it."""

    folder: Path
    process: subprocess.Popen[bytes]
    client: redis.Redis

    def connect(self, user: str = "") -> redis.Redis:
        """A further client, with one connection of its own. `user`: `name:password`."""
        return connect(f"unix://{user}{'@' if user else ''}{self.folder / 'redis.sock'}")


def program() -> str:
    """The server that is tested."""
    return os.environ.get("TIDECAST_TEST_REDIS_SERVER") or str(valkey_server())


@contextmanager
def server_folder() -> Iterator[Path]:
    """A folder that is gone afterwards. Its path is short: a socket's has at most 107 bytes."""
    folder = Path(tempfile.mkdtemp(prefix="tc-redis-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@contextmanager
def redis_server(*options: str, folder: Path | None = None, answers: bool = True) -> Iterator[Server]:
    """A server on a unix socket, by default in a folder of its own. `answers`: wait until it can be used."""
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
    """A server with these arguments, ended afterwards. Its output: `log` in the folder.

    SIGXFSZ stays ignored in it, as in Python, so that a limit on the size of its files is a full disk."""
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen([program(), *arguments], stdout=log, stderr=log, restore_signals=False)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def wait_for(client: redis.Redis, process: subprocess.Popen[bytes]) -> None:
    """Return when the server answers, also when it wants a password."""

    def answers() -> bool:
        if process.poll() is not None:
            raise RuntimeError("the test's server ended while starting")
        try:
            return bool(client.ping())
        except redis.AuthenticationError:
            return True

    until_it_works(answers)


def until_it_works(action: Callable[[], object]) -> None:
    """Try until it returns something true; as long as servers are away it does not."""

    def works() -> bool:
        with suppress(redis.RedisError, Unavailable):
            return bool(action())
        return False

    until(works)
