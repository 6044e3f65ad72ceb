"""A real server and a real cluster, for the suites that every store must pass."""

from collections.abc import Iterator

import pytest
import redis
from redis.cluster import RedisCluster

from tests.contract.clustered import redis_cluster
from tests.contract.servers import redis_server


@pytest.fixture(scope="session")
def redis_client() -> Iterator[redis.Redis]:
    """One server for the session; what runs in it picks an epoch or prefix of its own."""
    with redis_server() as server:
        yield server.client


@pytest.fixture(scope="session")
def redis_cluster_client() -> Iterator[RedisCluster]:
    """The same of a cluster."""
    with redis_cluster() as client:
        yield client
