"""When the whole stream counts as silent, and when as speaking again."""

from dataclasses import replace
from typing import Any

import pytest

from agents.runtime.ticking.silence import LEAST_MS, LONGER, Silence, derived_limit
from streams.timeline import PartitionHeader
from streams.usecases import EventWithin, ExplicitOutcome, UseCase
from tests.replay.world import USE_CASE

MINUTE = 60_000
START = 1_700_000_000_000


class World:
    """Partitions of a log whose scoring keeps up, and a watch that looks at them."""

    def __init__(self, pause_after: str | None = "1m", partitions: int = 2, use_case: UseCase = USE_CASE) -> None:
        self.now = START
        self.headers = {p: PartitionHeader(last_tick=START) for p in range(partitions)}
        self.event()
        use_case = replace(use_case, pause_after=pause_after)
        self.silence = Silence(use_case, partitions, lambda: self.now / 1000)
        assert self.look() is None

    def look(self) -> str | None:
        return self.silence.look(self.headers)

    def event(self, partition: int = 0, kind: str = "accepted") -> None:
        self.headers[partition].counters[kind] += 1

    def passes(self, ms: int, *partitions: int) -> str | None:
        """Time passes, in ticks where it is not paused, and the watch looks."""
        self.now += ms
        for partition in partitions or self.headers:
            header = self.headers[partition]
            if not header.is_paused:
                if header.pause_is_open:
                    header.pauses[-1][1] = self.now
                header.last_tick = self.now
        return self.look()

    def obey(self, paused: bool) -> None:
        for header in self.headers.values():
            if paused and not header.is_paused:
                header.pauses.append([header.last_tick, None])
                header.pause_events = header.events
            header.is_paused = header.pause_is_automatic = paused


def test_a_silence_beyond_the_limit_pauses_and_an_event_resumes() -> None:
    world = World()
    assert world.passes(MINUTE) is None
    assert world.passes(1) == "pause"
    world.obey(True)
    assert world.passes(10 * MINUTE) is None
    world.event(1)
    assert world.look() == "resume"
    world.obey(False)
    assert world.passes(1000) is None  # its time leaps over the pause: that is no silence
    assert world.passes(MINUTE) is None
    assert world.passes(1) == "pause"


@pytest.mark.parametrize("kind", ["accepted", "duplicate", "late", "dead"])
def test_whatever_a_producer_sends_is_no_silence(kind: str) -> None:
    world = World()
    for _ in range(5):
        world.passes(MINUTE - 1)
        world.event(1, kind)
        assert world.look() in (None, "resume")
    assert world.silence.length == 0


def test_one_quiet_partition_is_no_silence() -> None:
    world = World()
    for _ in range(10):
        world.passes(MINUTE // 2)
        world.event(0)
        assert world.look() != "pause"


def test_a_partition_whose_time_hangs_is_no_silence() -> None:
    world = World()
    for _ in range(10):
        assert world.passes(MINUTE, 0) is None  # the other one may hold events that nobody has read


def test_a_partition_that_scoring_does_not_know_yet_is_no_silence() -> None:
    world = World()
    del world.headers[1]
    assert world.passes(10 * MINUTE) is None


def test_a_stream_that_never_spoke_is_not_silent() -> None:
    world = World()
    for header in world.headers.values():
        header.counters["accepted"] = 0
    world.look()
    assert world.passes(10 * MINUTE) is None


def test_events_that_came_while_no_worker_ran_end_a_pause() -> None:
    world = World()
    world.passes(2 * MINUTE)
    world.obey(True)
    world.event(0)
    restarted = Silence(replace(USE_CASE, pause_after="1m"), 2, lambda: world.now / 1000)
    assert restarted.look(world.headers) == "resume"


def test_never_is_never() -> None:
    world = World("never")
    assert world.passes(10_000 * MINUTE) is None


def horizons(*outcomes: Any) -> UseCase:
    targets = tuple(replace(USE_CASE.targets[0], outcome=outcome) for outcome in outcomes)
    return replace(USE_CASE, targets=targets)


def test_the_limit_follows_from_the_shortest_horizon() -> None:
    assert derived_limit(horizons(EventWithin("Buy", over="2h"), EventWithin("Buy", over="4d"))) == 30 * MINUTE
    assert derived_limit(horizons(EventWithin("Buy", over="8s"))) == LEAST_MS
    assert derived_limit(horizons(ExplicitOutcome())) is None  # silence is no answer to it


def test_a_silence_as_there_were_before_is_usual() -> None:
    """Nights pause time once at most."""
    world = World(None, use_case=horizons(EventWithin("Buy", over="4h")))
    assert world.silence.limit == 60 * MINUTE
    assert world.passes(61 * MINUTE) == "pause"
    world.obey(True)
    world.passes(9 * 60 * MINUTE)
    world.event()
    assert world.look() == "resume"
    world.obey(False)
    assert world.silence.limit == LONGER * (61 + 9 * 60) * MINUTE
    world.passes(1000)
    assert world.passes(10 * 60 * MINUTE) is None
