"""Codec.decode and Intake.take handle any bytes in customer-events, written with any schema."""

import json
import struct
from typing import Any

from schemas.examples import examples_of
from streams.avro.codec import Codec, MemoryRegistry
from streams.control import sign
from streams.errors import Undecodable
from streams.log import Record
from streams.scoring.intake import Intake
from tests.fuzz.bites import Bites, sized
from tests.fuzz.mutate import varint
from tests.replay.world import DAY, EVENTS, KEY, PARTITIONS, SCHEMAS, USE_CASE, codec

CODEC = codec()
INTAKE = Intake(CODEC, USE_CASE.schemas, PARTITIONS, DAY, KEY)
NAMES = sorted(SCHEMAS)
KINDS = ("null", "boolean", "int", "long", "float", "double", "bytes", "string")
DEEPEST = 5


def check(data: bytes) -> None:
    """Raise unless the record is accepted or refused with a reason."""
    bites = Bites(data)
    (_any_value, _any_body, _any_schema, _grown_schema)[bites.number(1) % 4](bites)


def _any_value(bites: Bites) -> None:
    place = _place(bites)
    _answers(CODEC, INTAKE, *place, bites.rest())


def _any_body(bites: Bites) -> None:
    place = _place(bites)
    framed = CODEC.encode(name := bites.one_of(NAMES), _first(name))[:5]
    _answers(CODEC, INTAKE, *place, framed + bites.rest())


def _any_schema(bites: Bites) -> None:
    """Use any JSON as the schema in the registry."""
    place = _place(bites)
    try:
        schema = json.loads(bites.text(2000))
    except (ValueError, RecursionError):
        schema = bites.text(100)
    _foreign(place, schema, bites)


def _grown_schema(bites: Bites) -> None:
    """Use a schema that is usually valid, under one of our names or another name."""
    place = _place(bites)
    name = bites.one_of(("small.Visit", "tidecast.Outcome", "other.Thing", "tidecast.Tick"))
    fields = [{"name": f"f{n}", "type": _type(bites, DEEPEST)} for n in range(bites.number(1) % 4)]
    schema = {"type": "record", "name": name, "fields": fields}
    if name in SCHEMAS:
        own = list(SCHEMAS[name]["fields"])
        at = bites.number(1) % (len(own) + 1)
        schema["fields"] = [*own[:at], *fields, *own[at:]]
    _foreign(place, schema, bites)


def _foreign(place: tuple[Any, ...], schema: Any, bites: Bites) -> None:
    registry = MemoryRegistry()
    id = registry.id_of("", schema)
    reader = Codec(registry, SCHEMAS)
    intake = Intake(reader, USE_CASE.schemas, PARTITIONS, DAY, KEY)
    _answers(reader, intake, *place, struct.pack(">bI", 0, id) + bites.rest())


def _type(bites: Bites, depth: int) -> Any:
    kind = bites.number(1) % (14 if depth else 8)
    if kind < 8:
        return KINDS[kind]
    match kind:
        case 8 | 9:
            return {"type": "array", "items": _type(bites, depth - 1)}
        case 10:
            return {"type": "map", "values": _type(bites, depth - 1)}
        case 11:
            return [_type(bites, 0) for _ in range(1 + bites.number(1) % 3)]
        case 12:
            sizes = (0, 1, 16, 2**31, 2**62, -1)
            return {"type": "fixed", "name": f"x{bites.number(1)}", "size": bites.one_of(sizes)}
    name = f"r{bites.number(1)}"
    fields = [{"name": f"f{n}", "type": _type(bites, depth - 1)} for n in range(bites.number(1) % 5)]
    return {"type": "record", "name": name, "fields": fields}


def _place(bites: Bites) -> tuple[int, int | None, int, bytes | None]:
    """Return partition, last tick, Kafka timestamp and key. Key None stands for the record's own customer."""
    how = bites.number(1)
    tick = bites.signed(8) if how & 1 else None
    return how >> 1 & 1, tick, bites.signed(8) if how & 4 else 0, bites.bites(2000) if how & 8 else None


def _answers(
    reader: Codec, intake: Intake, partition: int, tick: int | None, timestamp: int, key: bytes | None, value: bytes
) -> None:
    if key is None:
        key = _own_key(reader, value)
    try:
        taken = intake.take(partition, Record(0, timestamp, key, value), tick)
    except Undecodable as refused:
        assert refused.detail and "\n" not in refused.detail and len(refused.detail) < 2000, refused.detail
        return
    assert isinstance(taken.record, dict)


def _own_key(reader: Codec, value: bytes) -> bytes | None:
    try:
        _, record = reader.decode(value)
    except Undecodable:
        return None
    customer = record.get("customer_id")
    return customer.encode() if isinstance(customer, str) else None


def _first(name: str) -> dict[str, Any]:
    if name.startswith("tidecast."):
        return examples_of(name).valid[0]
    common = {"event_id": "e", "customer_id": "c1", "occurred_at": 1000, "source": ""}
    given = {"cents": 5, "seconds": 1.5}
    own = {field["name"] for field in EVENTS[name.partition(".")[2]]["fields"]}
    return {**common, **{key: value for key, value in given.items() if key in own}}


def _seeds() -> list[bytes]:
    found = []
    for number, name in enumerate(NAMES):
        record = _first(name)
        if name in ("tidecast.Tick", "tidecast.Switch", "tidecast.Deployment"):
            record = sign(name, record, KEY, "customer-events", 0)
        value = CODEC.encode(name, record)
        found.append(b"\0\0" + value)
        found.append(b"\1\0" + bytes([number]) + value[5:])
        found.append(b"\2\0" + sized(json.dumps(SCHEMAS[name]).encode()[:2000]) + value[5:])
    visit = CODEC.encode("small.Visit", _first("small.Visit"))[5:]
    for inner in (b"\x05", b"\x01", b"\x07", b"\x0c\x01\x02"):
        many = varint(2 << 40) + visit
        found.append(b"\3\0\0\1\x08" + inner + b"\4" + visit + many)  # an array after our own fields
        found.append(b"\3\0\2\1\x08" + inner + many)
    return found


SEEDS = _seeds()
