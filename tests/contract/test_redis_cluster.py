"""Partitions are spread over the masters of a cluster. Each partition is on one master."""

from redis.cluster import RedisCluster

from sinks.redis.scoring_store import RedisScoringStore
from streams.identity import Position
from streams.state.store import PartitionCommit

EPOCH = 1_950_000_000


def test_each_partition_lies_on_one_master_and_each_master_has_some(redis_cluster_client: RedisCluster) -> None:
    store = RedisScoringStore(redis_cluster_client, EPOCH)
    commits = [PartitionCommit(number, None, Position(1), b"h", {"c": b"s"}, {"c": b"o"}) for number in range(16)]
    store.commit(commits)
    where: dict[bytes, set[str]] = {}
    for node in redis_cluster_client.get_primaries():
        for key in redis_cluster_client.scan_iter(match=f"*{{{EPOCH}.*", target_nodes=node):
            where.setdefault(key.split(b"}")[0], set()).add(node.name)
    assert len(where) == 16 and all(len(nodes) == 1 for nodes in where.values())
    assert len(set.union(*where.values())) == 3
    assert store.positions([0, 15]) == {0: (Position(1), b"h"), 15: (Position(1), b"h")}
