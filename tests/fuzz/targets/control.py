"""The check of control records. A record passes only when we signed it for its topic and partition."""

from typing import Any

from schemas.examples import examples_of
from schemas.topics import CUSTOMER_EVENTS
from streams.control import SIGNATURE, sign
from streams.control import check as signed_by_us
from streams.errors import DeadReason, Undecodable
from streams.log import Record
from streams.scoring.intake import CONTROLS, Intake
from tests.fuzz.bites import Bites
from tests.fuzz.targets.decoder import CODEC
from tests.replay.world import DAY, KEY, PARTITIONS, USE_CASE

INTAKE = Intake(CODEC, USE_CASE.schemas, PARTITIONS, DAY, KEY)
NAMES = sorted(CONTROLS)
RECORDS = {name: examples_of(name).valid[0] for name in NAMES}
GOOD = {
    (name, place): CODEC.encode(name, sign(name, RECORDS[name], KEY, CUSTOMER_EVENTS, place))
    for name in NAMES
    for place in range(PARTITIONS)
}
OURS = {(CODEC.decode(value)[0], place): CODEC.decode(value)[1] for (_, place), value in GOOD.items()}


def check(data: bytes) -> None:
    """Raise when the check fails with an unexpected error or when an unsigned record passes."""
    bites = Bites(data)
    (_changed_bytes, _changed_record, _anything)[bites.number(1) % 3](bites)


def _changed_bytes(bites: Bites) -> None:
    """Check that only a value we signed passes, and only in its own partition."""
    partition = bites.number(1) % PARTITIONS
    value = bites.rest()
    try:
        taken = INTAKE.take(partition, Record(0, 0, None, value), None)
    except Undecodable as refused:
        assert refused.reason in (
            DeadReason.BAD_CONTROL,
            DeadReason.UNDECODABLE,
            DeadReason.UNKNOWN_SCHEMA,
            DeadReason.WRONG_KEY,
            DeadReason.MISSING_CUSTOMER,
            DeadReason.TOO_LARGE,
        ), refused.reason
        return
    assert taken.record == OURS[taken.name, partition], "accepted but never signed"


def _changed_record(bites: Bites) -> None:
    """Set fields of a record, including the signature, to values of any type."""
    name, partition = bites.one_of(NAMES), bites.number(1) % PARTITIONS
    good = OURS[name, partition]
    record = dict(good)
    for _ in range(bites.number(1) % 4):
        record[bites.one_of([*good, "more", ""])] = _value(bites, 3)
    topic = bites.one_of((CUSTOMER_EVENTS, CUSTOMER_EVENTS, "labelled-examples", "deployments"))
    where = bites.one_of((partition, partition, partition + 1))
    called = bites.one_of((name, name, *NAMES))
    if signed_by_us(called, record, KEY, topic, where):
        same = {k: v for k, v in record.items() if v is not None} == {k: v for k, v in good.items() if v is not None}
        assert same and (called, topic, where) == (name, CUSTOMER_EVENTS, partition), "accepted but never signed"


def _anything(bites: Bites) -> None:
    record: dict[str, Any] = {bites.text(20): _value(bites, 3) for _ in range(bites.number(1) % 6)}
    record[SIGNATURE] = _value(bites, 1)
    assert not signed_by_us(bites.text(30), record, KEY, bites.text(20), bites.signed(4))


def _value(bites: Bites, depth: int) -> Any:
    """Return any value that the Avro library can decode."""
    match bites.number(1) % (9 if depth else 7):
        case 0:
            return None
        case 1:
            return bool(bites.number(1))
        case 2:
            return bites.signed(8)
        case 3:
            return bites.one_of((0.0, -0.0, 1.5, float("inf"), float("nan"), 1e308))
        case 4:
            return bites.text(40)
        case 5:
            return bites.bites(40)
        case 6:
            return bites.bites(32).ljust(32, b"\1")
        case 7:
            return [_value(bites, depth - 1) for _ in range(bites.number(1) % 4)]
    return {bites.text(8): _value(bites, depth - 1) for _ in range(bites.number(1) % 4)}


SEEDS = [
    *(b"\0" + bytes([place]) + value for (_, place), value in GOOD.items()),
    *(b"\1" + bytes([n, 0, 1, field, kind]) for n in range(3) for field in range(8) for kind in range(9)),
    b"\2\3\2\0ab\2\1\0\0\0\0\0\0\0\4\0abcd\6",
]
