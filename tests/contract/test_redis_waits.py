"""Temporary Redis errors. A worker waits for each of them to pass, and no write is partial in the meantime."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
import redis
from redis.cluster import RedisCluster

from sinks.redis.client import check_server, connect
from sinks.redis.scoring_store import RedisScoringStore
from sinks.redis.stage_store import RedisStageStore
from streams.errors import SettingError, Unavailable
from streams.identity import Position
from streams.state.store import PartitionCommit
from tests.contract.clustered import SLOTS, cluster_node
from tests.contract.servers import redis_server, server_folder, until_it_works
from tests.contract.test_redis_errors import ONE, uses

UNLIMITED = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
NOWHERE = ("127.0.0.1", "1")


def reads(client: redis.Redis) -> None:
    assert RedisScoringStore(client, 1).positions([0]) in ({}, {0: (Position(1), b"h")})


def writes(client: redis.Redis) -> bool:
    RedisScoringStore(client, 1).commit([ONE])
    return True


def test_a_full_server() -> None:
    with redis_server("--maxmemory", "1") as server:
        with pytest.raises(Unavailable, match=r"is full; give it more memory .* tries again"):
            writes(server.client)
        with pytest.raises(Unavailable, match="is full; give it more memory"):
            RedisStageStore(server.client, 1).commit("a", "b", 0, None, Position(1), b"x")
        assert server.client.dbsize() == 0
        server.client.config_set("maxmemory", 0)
        writes(server.client)
        assert RedisScoringStore(server.client, 1).positions([0]) == {0: (Position(1), b"h")}


def test_a_full_disk() -> None:
    with redis_server("--appendonly", "yes") as server:
        pid = server.process.pid
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
        with suppress(redis.RedisError):  # the server notices after some writes
            while True:
                server.client.set("other", "x")
        with pytest.raises(Unavailable, match="cannot write to its disk; free some space"):
            writes(server.client)
        reads(server.client)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, UNLIMITED)
        until_it_works(lambda: writes(server.client))


def test_a_read_only_replica() -> None:
    with redis_server() as server:
        server.client.replicaof(*NOWHERE)
        with pytest.raises(Unavailable, match="is a read-only replica"):
            writes(server.client)
        server.client.replicaof("NO", "ONE")
        writes(server.client)


def test_a_replica_whose_primary_is_away() -> None:
    with redis_server("--replica-serve-stale-data", "no") as server:
        server.client.replicaof(*NOWHERE)
        for use in (reads, writes):
            with pytest.raises(Unavailable, match=r"is a (replica without its primary|read-only replica)"):
                use(server.client)
        with pytest.raises(Unavailable, match="is a replica without its primary"):
            reads(server.client)
        server.client.replicaof("NO", "ONE")
        writes(server.client)


def test_too_few_replicas() -> None:
    with redis_server("--min-replicas-to-write", "1") as server:
        with pytest.raises(Unavailable, match="fewer replicas than min-replicas-to-write"):
            writes(server.client)
        server.client.config_set("min-replicas-to-write", 0)
        writes(server.client)


def test_a_server_that_runs_somebody_s_script() -> None:
    with redis_server("--lua-time-limit", "1") as server:
        with looping(server.connect(), "while true do end"):
            for use in (reads, writes):
                with pytest.raises(Unavailable, match="end it with SCRIPT KILL"):
                    use(server.client)
            server.client.script_kill()
        until_it_works(lambda: writes(server.client))


@contextmanager
def looping(client: redis.Redis, script: str) -> Iterator[None]:
    """Run a script from another client that does not wait for its result."""
    connection = client.connection_pool.get_connection()
    connection.send_command("EVAL", script, 0)
    yield
    connection.disconnect()


def test_a_server_that_loads_its_data() -> None:
    with server_folder() as folder:
        with redis_server("--appendonly", "yes", folder=folder) as server:
            pipeline = server.client.pipeline(transaction=False)
            for _ in range(50_000):
                pipeline.incr("other")
            pipeline.execute()
        with redis_server("--appendonly", "yes", "--key-load-delay", "50", folder=folder, answers=False) as server:
            until_it_works(lambda: is_loading(server.client))
            for use in (reads, writes):
                with pytest.raises(Unavailable, match="is loading its data"):
                    use(server.client)
            with suppress(redis.ResponseError):  # Redis 6 does not allow this setting to change while loading
                server.client.config_set("key-load-delay", 0)
            until_it_works(lambda: writes(server.client))


def is_loading(client: redis.Redis) -> bool:
    try:
        return not client.ping()
    except redis.exceptions.BusyLoadingError:
        return True


@pytest.mark.parametrize("cluster", ["no", "yes"])
def test_a_server_without_a_connection_left(cluster: str) -> None:
    with cluster_node(0, "--maxclients", "1", "--cluster-enabled", cluster) as holder:
        port = holder.connection_pool.connection_kwargs["port"]
        with connect(f"redis://127.0.0.1:{port}") as client:
            for use in (reads, writes, check_server):
                with pytest.raises(Unavailable, match="has no connection left; raise maxclients"):
                    use(client)
            holder.config_set("maxclients", 10)
            check_server(client)


def test_a_cluster_that_does_not_serve_all_slots() -> None:
    with cluster_node() as node:
        for use in (reads, writes):
            with pytest.raises(Unavailable, match="a cluster that does not serve all of its slots"):
                use(node)
        node.execute_command("CLUSTER", "ADDSLOTS", *range(SLOTS))
        until_it_works(lambda: writes(node))


def test_a_slot_that_moves(redis_cluster_client: RedisCluster) -> None:
    """The store waits while the keys of a command are on two nodes. When all of them are on the other node, the error
    says that the server is in cluster mode."""
    store = RedisScoringStore(redis_cluster_client, 1)
    store.commit([PartitionCommit(0, None, Position(1), b"")])
    key = "tidecast:{1.0}:position"
    here = redis_cluster_client.get_node_from_key(key)
    there = next(node for node in redis_cluster_client.get_primaries() if node != here)
    ids = [connect(f"redis://127.0.0.1:{node.port}").cluster("MYID").decode() for node in (here, there)]
    slot = redis_cluster_client.keyslot(key)
    with connect(f"redis://127.0.0.1:{here.port}") as node:
        node.execute_command("CLUSTER", "SETSLOT", slot, "MIGRATING", ids[1])
        try:
            old = node.info("server")["redis_version"].startswith("6.")  # Redis 6 answers ASK in this case too
            with pytest.raises(SettingError if old else Unavailable, match="node of a cluster" if old else "is moving"):
                RedisScoringStore(node, 1).load({0: ["a"]})
            node.delete(key)
            with pytest.raises(SettingError, match=r"set TIDECAST_REDIS_URL to redis\+cluster://"):
                RedisScoringStore(node, 1).load({0: ["a"]})
        finally:
            node.execute_command("CLUSTER", "SETSLOT", slot, "STABLE")
        assert RedisScoringStore(node, 1).positions([0]) == {}


def test_a_server_that_was_killed_is_away() -> None:
    with redis_server() as server:
        writes(server.client)
        server.process.kill()
        server.process.wait()
        for use in uses(server.client):
            with pytest.raises(Unavailable, match="does not answer; check that it runs"):
                use()
