import json
from collections.abc import Mapping
from typing import Any

from load.bench.job import EVERY_MS, HOUR_MS, PACED_MS, BenchJob
from load.reference.events import DAY_MS, DAYS, START_MS
from load.ticks import NO_KEY


class Wire:
    """A wire format of JSON records."""

    def encode(self, name: str, record: Mapping[str, Any]) -> bytes:
        return json.dumps([name, record]).encode()


JOB = BenchJob(Wire(), NO_KEY, 2)  # type: ignore[arg-type]


def test_a_backlog_has_a_tick_in_every_partition_behind_each_day() -> None:
    records = JOB.backlog(3000)
    ticks = [(at, json.loads(record.value)[1]["time"]) for at, record in enumerate(records) if record.partition == 0]
    assert [time for _, time in ticks] == [START_MS + day * DAY_MS for day in range(1, DAYS + 1)]
    assert sum(record.partition == 1 for record in records) == len(ticks) and len(records) == 3000 + 2 * len(ticks)
    for at, time in ticks[:-1]:
        assert json.loads(records[at + 2].value)[1]["occurred_at"] >= time


def test_hours_are_the_same_events() -> None:
    hours = list(JOB.hours(3000))
    assert [tick for tick, _ in hours] == [START_MS + HOUR_MS * hour for hour in range(1, len(hours) + 1)]
    events = [record.value for record in JOB.backlog(3000) if record.partition is None]
    assert [record.value for _, records in hours for record in records] == events


def test_a_paced_stream_goes_on_behind_the_backlog_with_ticks_in_one_partition_after_the_other() -> None:
    records = list(JOB.paced(16, 3, begun=2))
    start = PACED_MS + 2 * EVERY_MS
    ticks = [
        (record.partition, json.loads(record.value)[1]["time"]) for record in records if record.partition is not None
    ]
    assert ticks == [(number % 2, start + 2 * number * EVERY_MS) for number in range(24)]  # four per second in each
    events = [json.loads(record.value)[1]["occurred_at"] for record in records if record.partition is None]
    assert len(events) == 48
    assert all(start <= moment <= start + number * EVERY_MS for number, moment in enumerate(events))


def test_streams_follow_each_other_at_the_distance_of_their_events() -> None:
    last, first = list(JOB.paced(16, 3, begun=0))[-1], list(JOB.paced(16, 3, begun=48))
    before = json.loads(last.value)[1]["occurred_at"]
    after = [json.loads(record.value)[1]["occurred_at"] for record in first if record.partition is None]
    assert PACED_MS + 48 * EVERY_MS - before == EVERY_MS
    assert after[0] == PACED_MS + 48 * EVERY_MS
