"""A cluster that moves a slot or fails over, and Sentinel that does, under commits: they wait, and nothing is lost."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import redis
from redis.cluster import RedisCluster

from sinks.redis.client import check_server, connect
from sinks.redis.scoring_store import RedisScoringStore
from streams.errors import PositionConflict, Unavailable
from streams.identity import Position
from streams.state.store import PartitionCommit
from tests.contract.clustered import cluster_node, free_ports, redis_cluster
from tests.contract.servers import running, server_folder, until_it_works, wait_for
from tests.waiting import until

EPOCH, PARTITIONS = 1_960_000_000, 6


class Committing(threading.Thread):
    """Commits to every partition again and again; each time position, header and a customer hold the same number."""

    def __init__(self, client: redis.Redis) -> None:
        super().__init__(daemon=True)
        self.store = RedisScoringStore(client, EPOCH)
        self.acked = dict.fromkeys(range(PARTITIONS), 0)
        self.back: set[int] = set()
        self._ended = False

    def run(self) -> None:
        while not self._ended:
            for partition in self.acked:
                with suppress(Unavailable):
                    self._commit(partition)

    def _commit(self, partition: int) -> None:
        before = self.acked[partition]
        number = str(before + 1).encode()
        at = Position(before) if before else None
        try:
            self.store.commit([PartitionCommit(partition, at, Position(before + 1), number, {"c": number})])
        except PositionConflict:  # state and position went back together: a worker goes on from there
            found = self.store.positions([partition])
            self.acked[partition] = found[partition][0].offset if found else 0
            self.back.add(partition)
            return
        self.acked[partition] = before + 1

    def more(self) -> None:
        """Wait until every partition was committed some more times."""
        begun = dict(self.acked)
        until(lambda: all(self.acked[p] > n + 3 or p in self.back for p, n in begun.items()), "commits")

    def end(self) -> None:
        self._ended = True
        self.join()

    def is_whole(self) -> bool:
        """Return whether position, header and customer agree everywhere, at what was acknowledged last."""
        found = self.store.positions(range(PARTITIONS))
        loaded = self.store.load({p: ["c"] for p in range(PARTITIONS)})
        numbers = {p: str(n).encode() for p, n in self.acked.items()}
        return all(
            found[p] == (Position(self.acked[p]), number) and loaded[p]["c"].state == number
            for p, number in numbers.items()
        )


@contextmanager
def committing(client: redis.Redis) -> Iterator[Committing]:
    thread = Committing(client)
    thread.start()
    try:
        thread.more()
        yield thread
        thread.more()
    finally:
        thread.end()


def of_cluster(client: RedisCluster) -> redis.Redis:
    nodes = ",".join(f"127.0.0.1:{node.port}" for node in client.get_primaries())
    return connect(f"redis+cluster://{nodes}")


def test_every_slot_may_move_while_it_is_written() -> None:
    with redis_cluster() as cluster:
        ours = of_cluster(cluster)
        check_server(ours)
        with committing(ours) as commits:
            for partition in range(PARTITIONS):
                move(cluster, cluster.keyslot(f"tidecast:{{{EPOCH}.{partition}}}:position"))
        assert commits.is_whole() and not commits.back


def move(cluster: RedisCluster, slot: int) -> None:
    """Move a slot to another master, key by key."""
    nodes = {node.port: redis.Redis(port=node.port) for node in cluster.get_primaries()}
    from_port = cluster.nodes_manager.get_node_from_slot(slot).port
    to_port = next(port for port in nodes if port != from_port)
    ids = {port: node.execute_command("CLUSTER MYID") for port, node in nodes.items()}
    nodes[to_port].execute_command("CLUSTER SETSLOT", slot, "IMPORTING", ids[from_port])
    nodes[from_port].execute_command("CLUSTER SETSLOT", slot, "MIGRATING", ids[to_port])
    while keys := nodes[from_port].execute_command("CLUSTER GETKEYSINSLOT", slot, 1):
        nodes[from_port].execute_command("MIGRATE", "127.0.0.1", to_port, keys[0], 0, 5000)
    for port in (to_port, from_port, *(port for port in nodes if port not in (to_port, from_port))):
        nodes[port].execute_command("CLUSTER SETSLOT", slot, "NODE", ids[to_port])


def test_a_replica_takes_a_masters_place_while_it_is_written() -> None:
    with redis_cluster() as cluster, cluster_node() as replica:
        master = redis.Redis(port=cluster.get_primaries()[0].port)
        replica.execute_command("CLUSTER", "MEET", "127.0.0.1", cluster.get_primaries()[0].port)
        id = master.execute_command("CLUSTER MYID")
        until_it_works(lambda: replica.execute_command("CLUSTER REPLICATE", id))
        until_it_works(lambda: replica.info("replication")["master_link_status"] == "up")
        with committing(of_cluster(cluster)) as commits:
            replica.execute_command("CLUSTER FAILOVER")
            until(lambda: replica.info("replication")["role"] == "master", "the failover")
        assert commits.is_whole() and not commits.back


def test_sentinel_names_the_primary_also_after_a_failover() -> None:
    with sentinel() as (port, replica):
        ours = connect(f"redis+sentinel://127.0.0.1:{port}/state")
        check_server(ours)
        with committing(ours) as commits:
            # Sentinel refuses until it has heard of the replica
            until_it_works(lambda: redis.Redis(port=port).execute_command("SENTINEL", "FAILOVER", "state"))
            until(lambda: replica.info("replication")["role"] == "master", "the failover")
        assert commits.is_whole()


@contextmanager
def sentinel() -> Iterator[tuple[int, redis.Redis]]:
    """Run a primary with a replica and a Sentinel; yield the Sentinel's port, and the replica."""
    with server_folder() as first, server_folder() as second, server_folder() as third:
        ports = free_ports()
        with (
            running(server(ports[0], first), first) as one,
            running([*server(ports[1], second), "--replicaof", "127.0.0.1", str(ports[0])], second) as two,
        ):
            primary, replica = redis.Redis(port=ports[0]), redis.Redis(port=ports[1])
            wait_for(primary, one)
            wait_for(replica, two)
            until_it_works(lambda: replica.info("replication")["master_link_status"] == "up")
            config = third / "sentinel.conf"
            config.write_text(
                f"port {ports[2]}\nbind 127.0.0.1\ndir {third}\nsentinel monitor state 127.0.0.1 {ports[0]} 1\n"
            )
            with running([str(config), "--sentinel"], third) as three:
                asked = redis.Redis(port=ports[2], decode_responses=True)
                wait_for(asked, three)
                until_it_works(lambda: asked.execute_command("SENTINEL", "REPLICAS", "state"))
                yield ports[2], replica


def server(port: int, folder: Path) -> list[str]:
    return ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
