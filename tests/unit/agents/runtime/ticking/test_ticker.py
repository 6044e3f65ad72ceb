"""Which partitions get a tick, and which time it carries."""

import time
from types import SimpleNamespace
from typing import Any

import pytest

from agents.runtime.health import StageHealth
from agents.runtime.ticking.clock_check import ClockCheck
from agents.runtime.ticking.ticker import GROUPS, Ticker, groups
from schemas.catalog import load_schemas
from streams.avro.codec import Codec, MemoryRegistry
from streams.keys import Keys
from streams.log import TopicPartition

HOUR = 3_600_000


class Broker:
    """In place of Kafka: a log with a clock that differs from ours by `ahead` ms."""

    def __init__(self, codec: Codec, ahead: int = 0, create_time: bool = False) -> None:
        self.sent: list[dict[int, int]] = []
        self._codec = codec
        self._ahead = ahead
        self._create_time = create_time

    @property
    def now(self) -> int:
        return int(time.time() * 1000) + self._ahead

    def newest(self, partitions: list[int]) -> dict[int, int]:
        return dict.fromkeys(partitions, self.now - HOUR)

    def send(self, ticks: dict[int, bytes]) -> dict[int, int | None]:
        decoded = {partition: self._codec.decode(tick) for partition, tick in ticks.items()}
        assert all(name == "tidecast.Tick" for name, _ in decoded.values())
        self.sent.append({partition: record["time"] for partition, (_, record) in decoded.items()})
        return dict.fromkeys(ticks, None if self._create_time else self.now)


def ticker(partitions: int, ahead: int = 0, create_time: bool = False) -> tuple[Ticker, Broker, StageHealth]:
    codec = Codec(MemoryRegistry(), load_schemas())
    owned = tuple(TopicPartition("customer-events", number) for number in range(partitions))
    runner: Any = SimpleNamespace(owned=owned)
    settings = SimpleNamespace(confluent=dict, topic=str)
    use_case = SimpleNamespace(tick_every="1s", name="shop")
    wiring: Any = SimpleNamespace(codec=codec, keys=Keys(), settings=settings, use_case=use_case)
    health = StageHealth("clock")
    made, broker = Ticker(wiring, runner, ClockCheck(health)), Broker(codec, ahead, create_time)
    made._sender = broker  # type: ignore[assignment]
    return made, broker, health


@pytest.mark.parametrize("partitions", [0, 1, 3, 4, 9])
def test_in_all_groups_together_each_owned_partition_gets_one_tick(partitions: int) -> None:
    made, broker, _ = ticker(partitions)
    for group in range(GROUPS):
        made._tick({group})
    assert sorted(partition for ticks in broker.sent for partition in ticks) == list(range(partitions))
    assert max(map(len, broker.sent), default=0) <= -(-partitions // GROUPS)


@pytest.mark.parametrize("ahead", [-2 * HOUR, 0, 2 * HOUR])
def test_no_tick_is_ahead_of_our_clock_or_of_the_brokers(ahead: int) -> None:
    made, broker, health = ticker(2, ahead)
    for _ in range(3):
        made._tick(set(range(GROUPS)))
        latest = min(int(time.time() * 1000), broker.now)
        assert all(tick <= latest for tick in broker.sent[-1].values())
    assert all(tick > latest - HOUR / 2 for tick in broker.sent[-1].values())  # after the first it is nearly right
    assert bool(health.problem) == bool(ahead)


def test_the_first_tick_is_not_ahead_of_the_last_record() -> None:
    made, broker, _ = ticker(1, -2 * HOUR)
    made._tick({0})
    assert broker.sent[0][0] < broker.now - HOUR / 2


def test_a_topic_with_its_writers_clocks_is_red() -> None:
    made, _, health = ticker(1, create_time=True)
    made._tick({0})
    assert "LogAppendTime" in health.problem


def test_no_group_is_passed_over_however_long_the_last_ones_took() -> None:
    assert groups(7, 7) == set()  # woken too early
    assert groups(7, 8) == {8 % GROUPS}
    assert groups(6, 7) == {7 % GROUPS}
    assert groups(6, 9) == {7 % GROUPS, 8 % GROUPS, 9 % GROUPS}
    assert groups(7, 7 + 10 * GROUPS) == set(range(GROUPS))
