"""Fixtures for the store contract suites: a real server and a real cluster."""

from collections.abc import Iterator

import pytest
import redis
from redis.cluster import RedisCluster

from tests.contract.clustered import redis_cluster
from tests.contract.servers import redis_server


@pytest.fixture(scope="session")
def redis_client() -> Iterator[redis.Redis]:
    """Run one server for the session. Each test uses its own epoch or prefix."""
    with redis_server() as server:
        yield server.client


@pytest.fixture(scope="session")
def redis_cluster_client() -> Iterator[RedisCluster]:
    """Run one cluster for the session. Each test uses its own epoch or prefix."""
    with redis_cluster() as client:
        yield client
