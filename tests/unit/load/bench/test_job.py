import json
from collections.abc import Mapping
from typing import Any

from load.bench.job import BACKLOG_DAYS, HOUR_MS, Job
from load.reference.events import DAY_MS, START_MS


class Wire:
    """Records as JSON."""

    def encode(self, name: str, record: Mapping[str, Any]) -> bytes:
        return json.dumps([name, record]).encode()


JOB = Job(Wire(), "", 2)  # type: ignore[arg-type]


def test_a_backlog_has_a_tick_in_every_partition_behind_each_day() -> None:
    made = JOB.backlog(3000)
    ticks = [(at, json.loads(one.value)[1]["time"]) for at, one in enumerate(made) if one.partition == 0]
    assert [time for _, time in ticks] == [START_MS + day * DAY_MS for day in range(1, int(BACKLOG_DAYS) + 1)]
    assert sum(one.partition == 1 for one in made) == len(ticks) and len(made) == 3000 + 2 * len(ticks)
    for at, time in ticks[:-1]:
        assert json.loads(made[at + 2].value)[1]["occurred_at"] >= time


def test_hours_are_the_same_events() -> None:
    hours = list(JOB.hours(3000))
    assert [tick for tick, _ in hours] == [START_MS + HOUR_MS * hour for hour in range(1, len(hours) + 1)]
    events = [one.value for one in JOB.backlog(3000) if one.partition is None]
    assert [one.value for _, made in hours for one in made] == events


def test_a_paced_stream_goes_on_behind_the_backlog_a_tick_a_second_in_each_partition_in_turn() -> None:
    made = list(JOB.paced(10, 3, begun=2))
    ticks = [[json.loads(one.value)[1]["time"] for one in made if one.partition == p] for p in range(2)]
    start = START_MS + int(BACKLOG_DAYS) * DAY_MS
    assert ticks[0] == [start + HOUR_MS * (2 + second) for second in range(3)]
    assert ticks[1] == [time + HOUR_MS // 2 for time in ticks[0]]
    assert sum(one.partition is None for one in made) == 30
