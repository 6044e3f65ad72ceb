"""Start a Redis Cluster of three masters for tests."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from random import Random

import redis
from redis.cluster import RedisCluster

from tests.contract.servers import running, server_folder, until_it_works, wait_for

MASTERS = 3
SLOTS = 16_384
BUS = 10_000
"""Offset from a master's port to the port on which it talks to the other masters."""


@contextmanager
def redis_cluster() -> Iterator[RedisCluster]:
    """Run a cluster in which each master holds a third of the slots."""
    with ExitStack() as stack:
        ports = free_ports()
        nodes = [stack.enter_context(cluster_node(port)) for port in ports]
        for number, node in enumerate(nodes):
            first, end = (at * SLOTS // MASTERS for at in (number, number + 1))
            node.execute_command("CLUSTER", "ADDSLOTS", *range(first, end))
        for port in ports[1:]:
            nodes[0].execute_command("CLUSTER", "MEET", "127.0.0.1", port)
        for node in nodes:
            until_it_works(partial(_is_whole, node))
        client = RedisCluster(host="127.0.0.1", port=ports[0])
        stack.callback(client.close)
        yield client


@contextmanager
def cluster_node(port: int = 0, *options: str) -> Iterator[redis.Redis]:
    """Run a node without slots on the given port. 0 means any free port."""
    port = port or free_ports()[0]
    arguments = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--cluster-enabled", "yes", *options]
    with (
        server_folder() as folder,
        running([*arguments, "--dir", str(folder)], folder) as process,
        redis.Redis(port=port) as node,
    ):
        wait_for(node, process)
        yield node


def free_ports() -> list[int]:
    """Return free ports whose bus ports are free too. They lie below the range of ephemeral ports."""
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
