"""Absurd or oversized records are refused, even with a valid signature."""

from typing import Any

import pytest

from schemas.topics import CUSTOMER_EVENTS
from streams.control import sign
from streams.errors import DeadReason, Undecodable
from streams.log import Record
from streams.scoring.intake import EARLIEST, LATEST, MAX_ID, MAX_RECORD_BYTES, MOST_TICK_AHEAD, Intake
from tests.replay.world import DAY, KEY, PARTITIONS, USE_CASE, codec

CODEC = codec()
BUY = {"event_id": "e", "customer_id": "c", "occurred_at": 1000, "cents": 5}
OUTCOME = {"outcome_id": "o", "customer_id": "c", "target": "told", "occurred_at": 1, "value": 1.0}
NOW = 1_700_000_000_000


def intake(wall: bool = False) -> Intake:
    return Intake(CODEC, USE_CASE.schemas, PARTITIONS, DAY, KEY, wall)


def reason(record: dict[str, Any], name: str = "small.Buy", last_tick: int | None = None) -> DeadReason:
    with pytest.raises(Undecodable) as refused:
        intake().take(0, Record(0, 0, b"c", CODEC.encode(name, record)), last_tick)
    return refused.value.reason


def ticks(time: int, timestamp: int, wall: bool) -> bool:
    """Return whether a tick with a valid signature passes."""
    tick = sign("tidecast.Tick", {"time": time, "writer": "w"}, KEY, CUSTOMER_EVENTS, 0)
    try:
        intake(wall).take(0, Record(0, timestamp, None, CODEC.encode("tidecast.Tick", tick)), None)
    except Undecodable as refused:
        assert refused.reason == DeadReason.BAD_CONTROL
        return False
    return True


def test_ids_are_bounded() -> None:
    assert reason({**BUY, "event_id": "x" * (MAX_ID + 1)}) == DeadReason.TOO_LARGE
    assert reason({**OUTCOME, "outcome_id": "x" * 900_000}, "tidecast.Outcome") == DeadReason.TOO_LARGE
    assert reason({**OUTCOME, "prediction_id": "x" * (MAX_ID + 1)}, "tidecast.Outcome") == DeadReason.TOO_LARGE


def test_a_value_that_only_compression_made_small_is_refused_unread() -> None:
    with pytest.raises(Undecodable) as refused:
        intake().take(0, Record(0, 0, b"c", b"\0" * (MAX_RECORD_BYTES + 1)), None)
    assert refused.value.reason == DeadReason.TOO_LARGE


def test_no_event_lies_beyond_the_year_9999() -> None:
    assert reason({**BUY, "occurred_at": LATEST + 1}, last_tick=LATEST) == DeadReason.FAR_FUTURE


@pytest.mark.parametrize("time", [EARLIEST - 1, LATEST + 1, 2**53, 2**63 - 1, -(2**63)])
@pytest.mark.parametrize("wall", [True, False])
def test_no_tick_lies_outside_of_the_calendar(time: int, wall: bool) -> None:
    assert not ticks(time, NOW, wall)


def test_a_tick_of_the_wall_clock_is_not_far_ahead_of_when_it_was_written() -> None:
    assert ticks(NOW, NOW, wall=True)
    assert ticks(NOW + MOST_TICK_AHEAD, NOW, wall=True)
    assert not ticks(NOW + MOST_TICK_AHEAD + 1, NOW, wall=True)
    assert ticks(NOW + 10_000 * DAY, NOW, wall=False)  # a simulation may run ahead
    assert ticks(NOW - 10_000 * DAY, NOW, wall=True)  # ignored later because it goes backwards
