"""Decoding any bytes returns a record or raises Undecodable, in bounded time and memory."""

import struct
import tracemalloc
from io import BytesIO

import pytest
from fastavro import parse_schema, schemaless_writer
from hypothesis import given
from hypothesis import strategies as st

from schemas.catalog import load_schemas
from schemas.examples import examples_of
from streams.avro.bounds_check import walk_of
from streams.avro.codec import Codec, MemoryRegistry
from streams.errors import DeadReason, Undecodable
from tests.property.thorough import thorough

NAMES = sorted(load_schemas())
CODEC = Codec(MemoryRegistry(), load_schemas())
GOOD = {name: CODEC.encode(name, examples_of(name).valid[0]) for name in NAMES}


def answers(value):
    try:
        name, record = CODEC.decode(value)
    except Undecodable as error:
        assert error.detail.endswith(".") and "\n" not in error.detail
        return
    assert name in NAMES and isinstance(record, dict)


@given(st.binary(max_size=200))
def test_any_bytes(value):
    answers(value)


@thorough(3)
@given(st.sampled_from(NAMES), st.binary(max_size=300))
def test_any_body_under_a_known_id(name, body):
    answers(GOOD[name][:5] + body)


@thorough(5)
@given(st.sampled_from(NAMES), st.data())
def test_bytes_changed_anywhere(name, data):
    value = bytearray(GOOD[name])
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(5, len(value) - 1))
        value[place] = data.draw(st.integers(0, 255))
    answers(bytes(value))


def varint(number):
    number = (number << 1) ^ (number >> 63)
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


@pytest.mark.parametrize("length", [2**31 - 1, 2**40, 2**62, 2**63 - 1, -1, -(2**40)])
@pytest.mark.parametrize("kind", ["string", "bytes", "array", "map"])
def test_absurd_lengths_cost_nothing(kind, length):
    types = {"array": {"type": "array", "items": "double"}, "map": {"type": "map", "values": "double"}}
    schema = {"type": "record", "name": "X", "fields": [{"name": "a", "type": types.get(kind, kind)}]}
    registry = MemoryRegistry()
    id = registry.id_of("X", schema)
    body = varint(length & (2**64 - 1) if length >= 0 else length) + b"\x02" * 1000
    tracemalloc.start()
    try:
        with pytest.raises(Undecodable):
            Codec(registry, {}).decode(struct.pack(">bI", 0, id) + body)
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


KINDS = {
    "boolean": st.booleans(),
    "int": st.integers(-(2**31), 2**31 - 1),
    "long": st.integers(-(2**63), 2**63 - 1),
    "float": st.floats(width=32),
    "double": st.floats(),
    "string": st.text(max_size=200),
    "bytes": st.binary(max_size=200),
}


@st.composite
def typed(draw, names, depth=3):
    """Draw a type and a value of it."""
    kind = draw(st.sampled_from([*KINDS, "array", "map", "union", "record", "enum", "fixed"] if depth else list(KINDS)))
    names.append(f"n{len(names)}")
    name = names[-1]
    match kind:
        case "array" | "map":
            inner, value = draw(typed(names, depth - 1))
            count = draw(st.integers(0, 3))
            if kind == "array":
                return {"type": "array", "items": inner}, [value] * count
            return {"type": "map", "values": inner}, {str(n): value for n in range(count)}
        case "union":
            inner, value = draw(typed(names, 0))
            return ["null", inner], draw(st.sampled_from([None, value]))
        case "record":
            parts = [draw(typed(names, depth - 1)) for _ in range(draw(st.integers(0, 3)))]
            fields = [{"name": f"f{n}", "type": inner} for n, (inner, _) in enumerate(parts)]
            return {"type": "record", "name": name, "fields": fields}, {f"f{n}": v for n, (_, v) in enumerate(parts)}
        case "enum":
            return {"type": "enum", "name": name, "symbols": ["a", "b"]}, draw(st.sampled_from("ab"))
        case "fixed":
            size = draw(st.integers(0, 20))
            return {"type": "fixed", "name": name, "size": size}, b"x" * size
    return kind, draw(KINDS[kind])


@thorough(3)
@given(st.data())
def test_the_walk_ends_where_the_value_ends_and_never_beyond(data):
    inner, value = data.draw(typed([]))
    schema = parse_schema({"type": "record", "name": "top", "fields": [{"name": "f", "type": inner}]})
    out = BytesIO()
    schemaless_writer(out, schema, {"f": value})
    body = b"head!" + out.getvalue()
    assert walk_of(schema)(body + b"more", 5) == len(body)
    for end in range(5, len(body)):
        with pytest.raises(EOFError):
            walk_of(schema)(body[:end], 5)


MORE = [
    {"type": "array", "items": "double"},
    {"type": "array", "items": "boolean"},
    {"type": "array", "items": {"type": "fixed", "name": "F", "size": 10}},
    {"type": "map", "values": "float"},
    ["null", {"type": "array", "items": {"type": "record", "name": "R", "fields": [{"name": "d", "type": "double"}]}}],
]


@pytest.mark.parametrize("kind", MORE)
@pytest.mark.parametrize("blocks", [(2**62,), (2**40, 5), (-(2**62), -1), (-3, -8), (-1, 2**62), (-(2**63), 0)])
def test_what_only_the_writer_knows_is_passed_over_only_if_it_is_there(kind, blocks):
    """An array that only the writer knows is skipped only when all of its bytes exist. The Avro library hangs here."""
    grown = {"type": "record", "name": "X", "fields": [{"name": "a", "type": kind}, {"name": "b", "type": "long"}]}
    ours = {"type": "record", "name": "X", "fields": [{"name": "b", "type": "long"}]}
    registry = MemoryRegistry()
    id = registry.id_of("X", grown)
    body = (b"\x02" if isinstance(kind, list) else b"") + b"".join(map(varint, blocks)) + b"\x01" * 40
    with pytest.raises(Undecodable):
        Codec(registry, {"X": ours}).decode(struct.pack(">bI", 0, id) + body)


def test_arrays_that_are_there_are_passed_over_in_blocks_of_either_kind():
    grown = {"type": "record", "name": "X", "fields": [{"name": "a", "type": MORE[1]}, {"name": "b", "type": "long"}]}
    ours = {"type": "record", "name": "X", "fields": [{"name": "b", "type": "long"}]}
    registry = MemoryRegistry()
    frame = struct.pack(">bI", 0, registry.id_of("X", grown))
    codec = Codec(registry, {"X": ours})
    plain = varint(2) + b"\1\0" + varint(0)
    sized = varint(-2) + varint(2) + b"\1\0" + varint(1) + b"\1" + varint(0)
    assert [codec.decode(frame + body + varint(7))[1] for body in (plain, sized)] == [{"b": 7}] * 2


def test_a_megabyte_of_small_items_does_not_become_gigabytes():
    fields = [{"name": "b", "type": "boolean"}, *({"name": f"n{n}", "type": "null"} for n in range(60))]
    item = {"type": "record", "name": "R", "fields": fields}
    schema = {"type": "record", "name": "X", "fields": [{"name": "a", "type": {"type": "array", "items": item}}]}
    registry = MemoryRegistry()
    value = struct.pack(">bI", 0, registry.id_of("X", schema)) + varint(10**6) + b"\1" * 10**6 + b"\0"
    with pytest.raises(Undecodable, match="not accepted"):
        Codec(registry, {}).decode(value)


def test_the_bodies_of_records_nobody_expects_are_not_read():
    registry = MemoryRegistry()
    schema = {"type": "record", "name": "x" * 900, "fields": []}
    value = struct.pack(">bI", 0, registry.id_of("", schema)) + b"any length of body"
    with pytest.raises(Undecodable) as refused:
        Codec(registry, {}).decode(value, expected={"a.B"})
    assert refused.value.reason == DeadReason.UNKNOWN_SCHEMA
    assert len(refused.value.detail) < 400
