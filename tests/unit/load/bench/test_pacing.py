import time
from typing import Any

import click
import pytest

from load.bench.job import EncodedRecord
from load.bench.pacing import EventPositions, pace
from load.bench.parts.latency import latencies
from load.bench.reading import PredictionLog


class Clock:
    """A clock that advances only in sleep and in slow sends."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        monkeypatch.setattr(time, "perf_counter", lambda: self.now)
        monkeypatch.setattr(time, "sleep", self.pass_by)

    def pass_by(self, seconds: float) -> None:
        self.now += seconds


class Kafka:
    """A producer that takes `slow` seconds for the event `at`."""

    def __init__(self, clock: Clock, at: int = -1, slow: float = 0.0) -> None:
        self.sent: list[tuple[float, Any]] = []
        self._clock = clock
        self._at = at
        self._slow = slow

    def produce(self, topic: str, value: bytes, key: bytes | None = None, partition: int = -1) -> None:
        self.sent.append((self._clock.now, value))
        if len(self.sent) == self._at:
            self._clock.pass_by(self._slow)

    def poll(self, _: float) -> None:
        pass


def events(count: int) -> list[EncodedRecord]:
    return [EncodedRecord(b"%d" % number, b"key") for number in range(count)]


def test_each_event_is_sent_when_due_and_ticks_take_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    kafka = Kafka(Clock(monkeypatch))
    records = [EncodedRecord(b"tick", None, 0), *events(3)]
    max_delay_s = pace(kafka, "events", records, 1.0, 100)
    assert kafka.sent == [
        (pytest.approx(1.0), b"tick"),
        (pytest.approx(1.0), b"0"),
        (pytest.approx(1.01), b"1"),
        (pytest.approx(1.02), b"2"),
    ]
    assert max_delay_s == pytest.approx(0.0)


def test_fast_events_are_sent_a_step_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    kafka = Kafka(Clock(monkeypatch))
    assert pace(kafka, "events", events(1000), 0.0, 100_000) <= 0.00101
    assert len({moment for moment, _ in kafka.sent}) == pytest.approx(10, abs=1)


def test_a_slow_system_does_not_slow_the_load(monkeypatch: pytest.MonkeyPatch) -> None:
    kafka = Kafka(Clock(monkeypatch), at=10, slow=0.5)
    assert pace(kafka, "events", events(100), 0.0, 100) == pytest.approx(0.49)
    assert kafka.sent[-1][0] == pytest.approx(0.99)


def test_latency_counts_from_the_due_time() -> None:
    positions, log = EventPositions(), PredictionLog()
    for offset, due in ((5, 1.0), (6, 2.0), (7, 3.0)):
        positions.partitions.append(0)
        positions.offsets.append(offset)
        positions.due.append(due)
    for offset, ordinal, moment in ((4, 0, 1.0), (5, 0, 1.5), (6, 0, 2.1), (6, 1, 2.2), (7, 0, 3.5), (7, 0, 9.0)):
        log.partitions.append(0)
        log.offsets.append(offset)
        log.ordinals.append(ordinal)
        log.moments.append(moment)
    found = list(latencies(positions.by_position(), log.sources(), warm=2.0))
    assert found == [pytest.approx(0.1), pytest.approx(0.2), pytest.approx(0.5)]


def test_predictions_resume_after_the_first_long_silence_and_not_the_longest() -> None:
    log = PredictionLog()
    log.moments.extend([0.0, 5.0, 5.1, 6.5, 6.6, 9.6])
    assert log.resumed(killed=5.05) == 6.5
    assert log.silence(since=5.05) == pytest.approx(3.0)
    with pytest.raises(click.ClickException, match="workers' logs"):
        PredictionLog().resumed(killed=3.0)


def test_repetitions_are_not_new() -> None:
    log = PredictionLog()
    for offset, moment in ((1, 1.0), (2, 2.0), (1, 5.0), (2, 5.0), (3, 5.5), (4, 5.5)):
        log.partitions.append(0)
        log.offsets.append(offset)
        log.ordinals.append(0)
        log.moments.append(moment)
    assert log.first_new(since=3.0) == 5.5
