"""Preview of what scoring would do with a dead letter now."""

import time
from typing import Any

import pytest

from agents.dead_letters.rejected import Rejected
from agents.dead_letters.requeue_preview import RequeueCheck, RequeueOutcome
from streams.avro.codec import MemoryRegistry
from streams.control import sign
from streams.partitioner import partition_of
from streams.timeline import PartitionHeader
from tests.replay.world import HOUR, KEY, LATENESS, PARTITIONS, SCHEMAS, Codec, deployment

NOW = int(time.time() * 1000)
REGISTRY = MemoryRegistry()
CODEC = Codec(REGISTRY, SCHEMAS)
RIGHT = partition_of("c", PARTITIONS)
BUY = {"event_id": "e", "customer_id": "c", "occurred_at": NOW, "cents": 1}
OUTCOME = {"outcome_id": "o", "customer_id": "c", "target": "told", "occurred_at": 0, "value": 1.0}
TICK = sign("tidecast.Tick", {"time": 5, "writer": "w"}, KEY, "customer-events", 0)


def preview(value: bytes | None, key: bytes | None = b"c", reason: str = "undecodable", lies_in: int = 0) -> Any:
    headers = {partition: PartitionHeader(last_tick=NOW) for partition in range(PARTITIONS)}
    source = {"topic": "customer-events", "epoch": 7, "partition": lies_in, "offset": 3, "ordinal": 0}
    record = {"reason": reason, "detail": "", "key": key, "value": value, "timestamp": 0, "source": source}
    return RequeueCheck(deployment(), REGISTRY, headers, KEY).of(Rejected("7.0.3.0", 0, record))


def buy(**other: Any) -> bytes:
    return CODEC.encode("small.Buy", {**BUY, **other})


def outcome(**other: Any) -> bytes:
    return CODEC.encode("tidecast.Outcome", {**OUTCOME, **other})


@pytest.mark.parametrize(
    ("value", "outcome", "why"),
    [
        (buy(), RequeueOutcome.FINE, ""),
        (buy(occurred_at=NOW - LATENESS), RequeueOutcome.FINE, ""),
        (buy(occurred_at=NOW - LATENESS - 1), RequeueOutcome.LATE, "watermark"),
        (buy(customer_id="d"), RequeueOutcome.AGAIN, "wrong_key: "),
        (buy(occurred_at=NOW + 11 * 365 * 24 * HOUR), RequeueOutcome.AGAIN, "far_future: "),
        (outcome(), RequeueOutcome.FINE, ""),
        (outcome(target="nothing"), RequeueOutcome.AGAIN, "unknown_target: "),
        (outcome(value=0.5), RequeueOutcome.AGAIN, "wrong_type: "),
        (b"junk", RequeueOutcome.AGAIN, "undecodable: "),
        (None, RequeueOutcome.AGAIN, "no value"),
        (b"\0\0\0\xff\xffx", RequeueOutcome.AGAIN, "unknown_schema: "),
        (CODEC.encode("tidecast.Tick", TICK), RequeueOutcome.CONTROL, "bad_control: "),
    ],
)
def test_fates(value: bytes | None, outcome: RequeueOutcome, why: str) -> None:
    found = preview(value)
    assert found.outcome == outcome, found
    assert why in found.why


@pytest.mark.parametrize("lies_in", range(PARTITIONS))
def test_it_goes_to_the_partition_of_its_key(lies_in: int) -> None:
    assert preview(buy(), reason="wrong_key", lies_in=lies_in).partition == RIGHT
    assert preview(b"junk", key=None, lies_in=lies_in).partition == lies_in


def test_a_rightly_signed_tick_is_still_for_its_writer_alone() -> None:
    assert preview(CODEC.encode("tidecast.Tick", TICK), key=None).outcome == RequeueOutcome.CONTROL


def test_a_record_whose_id_another_one_has_is_not_sent_again() -> None:
    assert preview(buy(), reason="conflicting_id").outcome == RequeueOutcome.AGAIN


def test_a_failed_timer_holds_no_record() -> None:
    assert preview(None, reason="failed").outcome == RequeueOutcome.NOTHING
