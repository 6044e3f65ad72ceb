"""What would become of a dead letter now, by the rules that scoring has."""

import time
from typing import Any

import pytest

from agents.dead_letters.rejected import Kept
from agents.dead_letters.requeue_preview import Fate, Foresight
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


def prospect(value: bytes | None, key: bytes | None = b"c", reason: str = "undecodable", lies_in: int = 0) -> Any:
    headers = {partition: PartitionHeader(last_tick=NOW) for partition in range(PARTITIONS)}
    source = {"topic": "customer-events", "epoch": 7, "partition": lies_in, "offset": 3, "ordinal": 0}
    record = {"reason": reason, "detail": "", "key": key, "value": value, "timestamp": 0, "source": source}
    return Foresight(deployment(), REGISTRY, headers, KEY).of(Kept("7.0.3.0", 0, record))


def buy(**other: Any) -> bytes:
    return CODEC.encode("small.Buy", {**BUY, **other})


def outcome(**other: Any) -> bytes:
    return CODEC.encode("tidecast.Outcome", {**OUTCOME, **other})


@pytest.mark.parametrize(
    ("value", "fate", "why"),
    [
        (buy(), Fate.FINE, ""),
        (buy(occurred_at=NOW - LATENESS), Fate.FINE, ""),
        (buy(occurred_at=NOW - LATENESS - 1), Fate.LATE, "watermark"),
        (buy(customer_id="d"), Fate.AGAIN, "wrong_key: "),
        (buy(occurred_at=NOW + 11 * 365 * 24 * HOUR), Fate.AGAIN, "far_future: "),
        (outcome(), Fate.FINE, ""),
        (outcome(target="nothing"), Fate.AGAIN, "unknown_target: "),
        (outcome(value=0.5), Fate.AGAIN, "wrong_type: "),
        (b"junk", Fate.AGAIN, "undecodable: "),
        (None, Fate.AGAIN, "no value"),
        (b"\0\0\0\xff\xffx", Fate.AGAIN, "unknown_schema: "),
        (CODEC.encode("tidecast.Tick", TICK), Fate.CONTROL, "bad_control: "),
    ],
)
def test_fates(value: bytes | None, fate: Fate, why: str) -> None:
    found = prospect(value)
    assert found.fate == fate, found
    assert why in found.why


@pytest.mark.parametrize("lies_in", range(PARTITIONS))
def test_it_goes_to_the_partition_of_its_key(lies_in: int) -> None:
    assert prospect(buy(), reason="wrong_key", lies_in=lies_in).partition == RIGHT
    assert prospect(b"junk", key=None, lies_in=lies_in).partition == lies_in


def test_a_rightly_signed_tick_is_still_for_its_writer_alone() -> None:
    assert prospect(CODEC.encode("tidecast.Tick", TICK), key=None).fate == Fate.CONTROL


def test_a_failed_timer_holds_no_record() -> None:
    assert prospect(None, reason="failed").fate == Fate.NOTHING
