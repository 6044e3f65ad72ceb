"""The server measurements for `tidecast size` return the expected constants. Their values depend on the machine."""

import json
from math import isfinite

import pytest
import redis

from agents.settings import load_settings
from agents.sizing.constants import NAMES
from agents.sizing.measuring import in_clickhouse, in_kafka, in_redis
from agents.sizing.measuring.job import Job
from tests.integration.conftest import Stack


@pytest.fixture
def pids(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    monkeypatch.setenv("TIDECAST_DATA", str(stack.folder))
    return {part: each["pid"] for part, each in json.loads((stack.folder / "stack.json").read_text())["pids"].items()}


def kept(client: redis.Redis) -> int:
    """Return the memory of the measured keys as Redis reports it. These few customers do not show in the server's
    total."""
    with client.pipeline(transaction=False) as pipeline:
        for key in client.scan_iter(match=in_redis.PREFIX + "*", count=1000):
            pipeline.memory_usage(key, samples=0)
        return sum(pipeline.execute())


def test_redis(stack: Stack, pids: dict[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(in_redis, "ROUNDS", 1)
    monkeypatch.setattr(in_redis, "EVENTS", 2_000)
    monkeypatch.setattr(in_redis, "MANY_CUSTOMERS", 2_000)
    monkeypatch.setattr(in_redis, "FEW_CUSTOMERS", 100)
    client = redis.Redis.from_url(load_settings().redis_url)
    assert in_redis._used(client) > 0 == client.info("memory")["lazyfree_pending_objects"]
    monkeypatch.setattr(in_redis, "_used", kept)
    found = in_redis.redis_constants(client, 45.0)
    assert {*found} <= {*NAMES}
    assert found["redis_bytes_per_partition"] > 100 < found["redis_bytes_per_customer"] < 1_000
    assert 1 < found["redis_bytes_per_feature"] < 100 < found["redis_bytes_per_open_observation"] < 1_000
    assert not list(client.scan_iter(match=in_redis.PREFIX + "*"))


def test_clickhouse(pids: dict[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(in_clickhouse, "JOB", Job(observe=1.0, arms=4, serve_every=100, events=2_000, customers=100))
    found = in_clickhouse.clickhouse_constants(load_settings(), pids["clickhouse"])
    assert {*found} <= {*NAMES}
    server = found.pop("clickhouse_cpu_us_per_row")  # in steps of 10 ms
    assert isfinite(server) and server >= 0
    assert all(value > 0 for value in found.values()), found
    assert found["clickhouse_bytes_per_feature"] <= 9


def test_kafka(pids: dict[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(in_kafka, "ROUNDS", 1)
    monkeypatch.setattr(in_kafka, "BACKLOG", 20_000)
    monkeypatch.setattr(in_kafka, "STEPS", 100)
    monkeypatch.setattr(in_kafka, "PACED", 15_000)
    found = in_kafka.kafka_constants(load_settings(), pids["kafka"])
    assert {*found} <= {*NAMES}
    assert found["worker_cpu_us_per_record_read"] > 0 < found["worker_cpu_us_per_record_produced"]
    assert 17 < found["kafka_bytes_per_record"] < 100
