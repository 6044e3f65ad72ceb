"""Equal contents have equal bytes, whatever schema and encoder they come from."""

from io import BytesIO
from typing import Any

import pytest
from fastavro import parse_schema, schemaless_writer
from hypothesis import given
from hypothesis import strategies as st

from schemas.catalog import Schema
from streams.avro.canonical import _checksum, checksum
from streams.avro.codec import HEADER, Codec, MemoryRegistry

TIER = {"type": "enum", "name": "Tier", "symbols": ["BASIC", "GOLD"], "default": "BASIC"}
FIELDS: list[dict[str, Any]] = [
    {"name": "event_id", "type": "string"},
    {"name": "cents", "type": "long"},
    {"name": "tier", "type": TIER},
    {"name": "parts", "type": {"type": "map", "values": "double"}, "default": {}},
    {"name": "note", "type": ["null", "string"], "default": None},
]
RECORD = {"event_id": "e", "cents": 128, "tier": "GOLD", "parts": {"a": 1.0, "b": 2.0}, "note": None}


def schema(fields: list[dict[str, Any]]) -> Schema:
    return {"type": "record", "name": "Buy", "namespace": "small", "fields": fields}


def written(registry: MemoryRegistry, writer: Schema, record: dict[str, Any]) -> bytes:
    out = BytesIO()
    out.write(HEADER.pack(0, registry.id_of("small.Buy", writer)))
    schemaless_writer(out, parse_schema(writer), record)
    return out.getvalue()


def content(writer: Schema, record: dict[str, Any], reader: Schema | None = None) -> bytes:
    """The content of a record, by a reader of `reader`."""
    registry = MemoryRegistry()
    codec = Codec(registry, {"small.Buy": reader or schema(FIELDS)})
    value = written(registry, writer, record)
    name, read = codec.decode(value)
    assert name == "small.Buy"
    tell = codec.content_of(value)
    found = None if tell is None else tell(read)
    return value[5:] if found is None else found


OWN = content(schema(FIELDS), RECORD)


def test_the_order_of_a_map_is_no_content() -> None:
    assert content(schema(FIELDS), {**RECORD, "parts": {"b": 2.0, "a": 1.0}}) == OWN
    assert content(schema(FIELDS), {**RECORD, "parts": {"a": 2.0, "b": 1.0}}) != OWN


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(list(reversed(FIELDS)), id="another order of fields"),
        pytest.param([*FIELDS, {"name": "more", "type": "string"}], id="a field that we do not read"),
        pytest.param([{**field, "doc": "Said otherwise."} for field in FIELDS], id="documentation"),
        pytest.param([FIELDS[0], {"name": "cents", "type": "int"}, *FIELDS[2:]], id="a narrower number"),
        pytest.param(FIELDS[:-1], id="a field that only we have"),
    ],
)
def test_the_schema_of_the_writer_is_no_content(other: list[dict[str, Any]]) -> None:
    assert content(schema(other), {**RECORD, "more": "x"}) == OWN
    assert content(schema(other), {**RECORD, "more": "x", "cents": 129}) != OWN


def test_a_field_of_zero_that_the_deployed_schema_grew_by_lies_at_the_end() -> None:
    grown = schema([*FIELDS, {"name": "points", "type": "long", "default": 0}])
    before, after = content(schema(FIELDS), RECORD, grown), content(grown, {**RECORD, "points": 0}, grown)
    assert before == after == OWN + b"\0"
    assert content(grown, {**RECORD, "points": 1}, grown).rstrip(b"\0") != OWN.rstrip(b"\0")


def test_without_maps_the_bytes_are_taken_as_they_are() -> None:
    plain = schema(FIELDS[:2])
    registry = MemoryRegistry()
    codec = Codec(registry, {"small.Buy": plain})
    value = written(registry, plain, RECORD)
    codec.decode(value)
    assert codec.content_of(value) is None


def test_records_that_others_decode_meanwhile_change_nothing() -> None:
    """Stages on several threads share a codec."""
    registry = MemoryRegistry()
    other = {**schema(FIELDS[:1]), "name": "Return"}
    codec = Codec(registry, {"small.Buy": schema(FIELDS), "small.Return": other})
    value = written(registry, schema(FIELDS), RECORD)
    codec.decode(value)
    codec.decode(codec.encode("small.Return", {"event_id": "r"}))
    tell = codec.content_of(value)
    assert tell is not None and tell(RECORD) is not None


@pytest.mark.parametrize(
    "kind",
    [
        {"type": "map", "values": {"type": "map", "values": "long"}},
        {"type": "map", "values": ["null", {"type": "map", "values": "long"}]},
        ["null", {"type": "map", "values": {"type": "map", "values": "long"}}],
    ],
)
def test_maps_in_maps_have_no_order_either(kind: Any) -> None:
    nested = schema([{"name": "m", "type": kind}])
    first = content(nested, {"m": {"x": {"a": 1, "b": 2}}}, nested)
    assert content(nested, {"m": {"x": {"b": 2, "a": 1}}}, nested) == first
    assert content(nested, {"m": {"x": {"a": 2, "b": 1}}}, nested) != first


@given(st.binary(max_size=300), st.integers(0, 9))
def test_the_kernel_checks_as_python_does(data: bytes, start: int) -> None:
    assert checksum(data, min(start, len(data))) == _checksum(data, min(start, len(data)))


def test_zeros_at_the_end_are_no_content() -> None:
    assert checksum(b"\x02\0\0", 0) == checksum(b"\x02", 0) == checksum(b"\0\x02", 1)
    assert checksum(b"\0\x02", 0) != checksum(b"\x02", 0)
    assert checksum(b"\0\0", 0) == checksum(b"", 0) == checksum(b"\0\0", 2)
