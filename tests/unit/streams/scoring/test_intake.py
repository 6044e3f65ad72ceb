"""Which records may pass, and the reason why others are refused."""

from math import inf, nan
from typing import Any

import pytest

from schemas.topics import CUSTOMER_EVENTS
from streams.control import sign
from streams.errors import DeadReason, Undecodable
from streams.log import Record
from streams.partitioner import partition_of
from streams.scoring.intake import EARLIEST, LARGEST, MAX_CUSTOMER_BYTES, Intake, Taken, finite_check
from tests.replay.world import DAY, KEY, PARTITIONS, USE_CASE, codec

CODEC = codec()
INTAKE = Intake(CODEC, USE_CASE.schemas, PARTITIONS, DAY, KEY)
BUY = {"event_id": "e", "customer_id": "c", "occurred_at": 1000, "cents": 5}
OUTCOME = {"outcome_id": "o", "customer_id": "c", "target": "told", "occurred_at": 1, "value": 1.0}
TICK = {"time": 1, "writer": "w", "signature": None}


def taken(name: str, record: dict[str, Any], key: bytes | None = None, timestamp: int = 0, tick: int | None = None):
    if key is None and "customer_id" in record:
        key = record["customer_id"].encode()
    return INTAKE.take(0, Record(0, timestamp, key, CODEC.encode(name, record)), tick)


def reason(name: str, record: dict[str, Any], **place: Any) -> DeadReason:
    with pytest.raises(Undecodable) as refused:
        taken(name, record, **place)
    assert refused.value.detail
    return refused.value.reason


def test_events_outcomes_and_controls_pass() -> None:
    assert taken("small.Buy", BUY)[:2] == ("small.Buy", "Buy")
    assert taken("tidecast.Outcome", OUTCOME)[:2] == ("tidecast.Outcome", "")
    assert taken("tidecast.Tick", sign("tidecast.Tick", TICK, KEY, CUSTOMER_EVENTS, 0)).event == ""


@pytest.mark.parametrize("name,record", [("small.Buy", BUY), ("tidecast.Outcome", OUTCOME)])
def test_every_record_names_its_customer_and_is_keyed_by_it(name: str, record: dict[str, Any]) -> None:
    assert reason(name, {**record, "customer_id": ""}) == DeadReason.MISSING_CUSTOMER
    assert reason(name, record, key=b"other") == DeadReason.WRONG_KEY
    assert reason(name, {**record, "customer_id": "ä" * MAX_CUSTOMER_BYTES}) == DeadReason.TOO_LARGE
    assert taken(name, {**record, "customer_id": "x" * MAX_CUSTOMER_BYTES})


def test_ids_are_needed() -> None:
    assert reason("small.Buy", {**BUY, "event_id": ""}) == DeadReason.WRONG_TYPE
    assert reason("tidecast.Outcome", {**OUTCOME, "outcome_id": ""}) == DeadReason.WRONG_TYPE


def test_numbers_are_finite() -> None:
    visit = {"event_id": "e", "customer_id": "c", "occurred_at": 0}
    assert taken("small.Visit", {**visit, "seconds": None})
    assert reason("small.Visit", {**visit, "seconds": nan}) == DeadReason.NOT_FINITE
    assert reason("tidecast.Outcome", {**OUTCOME, "value": inf}) == DeadReason.NOT_FINITE


def test_numbers_whose_squares_overflow_are_refused() -> None:
    visit = {"event_id": "e", "customer_id": "c", "occurred_at": 0}
    assert taken("small.Visit", {**visit, "seconds": -0.9 * LARGEST})
    for value in (-LARGEST, 1e308):
        assert reason("small.Visit", {**visit, "seconds": value}) == DeadReason.NOT_FINITE
        assert reason("tidecast.Outcome", {**OUTCOME, "value": value}) == DeadReason.NOT_FINITE


def test_maps_of_numbers_are_finite_too() -> None:
    check = finite_check({"fields": [{"name": "m", "type": ["null", {"type": "map", "values": "double"}]}]})
    check({"m": None})
    check({"m": {"a": 1.0}})
    with pytest.raises(Undecodable):
        check({"m": {"a": -inf}})
    with pytest.raises(Undecodable):
        check({"m": {"a": 1e308}})


def test_the_future_begins_behind_the_later_of_timestamp_and_tick() -> None:
    #   timestamp or tick        + max_ahead (a day)
    #        |----------------------------]   allowed
    assert taken("small.Buy", {**BUY, "occurred_at": DAY + 7}, timestamp=7)
    assert taken("small.Buy", {**BUY, "occurred_at": DAY + 7}, tick=7)
    assert taken("small.Buy", {**BUY, "occurred_at": DAY + 7}, timestamp=7, tick=-5)
    assert reason("small.Buy", {**BUY, "occurred_at": DAY + 8}, timestamp=7, tick=3) == DeadReason.FAR_FUTURE
    assert reason("small.Buy", {**BUY, "occurred_at": EARLIEST - 1}) == DeadReason.FAR_FUTURE


def test_controls_have_no_key_and_are_signed_for_their_place() -> None:
    right = sign("tidecast.Tick", TICK, KEY, CUSTOMER_EVENTS, 0)
    assert reason("tidecast.Tick", TICK) == DeadReason.BAD_CONTROL
    assert reason("tidecast.Tick", right, key=b"c") == DeadReason.BAD_CONTROL
    assert reason("tidecast.Tick", sign("tidecast.Tick", TICK, KEY, CUSTOMER_EVENTS, 1)) == DeadReason.BAD_CONTROL
    assert reason("tidecast.Tick", {**right, "time": 2}) == DeadReason.BAD_CONTROL


def test_records_of_other_topics_are_no_events() -> None:
    late = {"event_type": "x", "event_id": "", "customer_id": "", "occurred_at": 0, "watermark": 0, "value": b""}
    source = {"topic": "t", "epoch": 0, "partition": 0, "offset": 0, "ordinal": 0}
    assert reason("tidecast.LateEvent", {**late, "source": source}, key=b"") == DeadReason.UNKNOWN_SCHEMA


def test_a_new_customer_belongs_to_its_partition() -> None:
    right = partition_of("c", PARTITIONS)
    INTAKE.check_partition("c", right)
    with pytest.raises(Undecodable, match="murmur2"):
        INTAKE.check_partition("c", 1 - right)


def digest_of(name: str, record: dict[str, Any], id: str) -> bytes:
    raw = Record(0, 0, b"c", CODEC.encode(name, record))
    return INTAKE.digest(raw, Taken(name, "", CODEC.decode(raw.value)[1], CODEC.content_of(raw.value)), id)


def test_digests_tell_kinds_ids_and_contents_apart() -> None:
    one, leave = (
        digest_of("small.Buy", BUY, "a"),
        {name: BUY[name] for name in ("event_id", "customer_id", "occurred_at")},
    )
    assert len(one) == 8
    assert digest_of("small.Buy", BUY, "a") == one
    assert digest_of("small.Buy", BUY, "b")[:6] != one[:6]
    assert digest_of("small.Leave", leave, "a")[:6] != one[:6]
    assert digest_of("small.Buy", {**BUY, "cents": 6}, "a")[:6] == one[:6]
    assert digest_of("small.Buy", {**BUY, "cents": 6}, "a") != one
