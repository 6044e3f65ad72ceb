"""Reading by other schemas than ours, held to the Avro library and to what the values are.

Where the library resolves two schemas, we read the same. Where it does not, we read what was written if our schema has
a place for it, and else name the field."""

import copy
import math
from io import BytesIO
from typing import Any

import numpy as np
from fastavro import parse_schema, schemaless_reader, schemaless_writer
from hypothesis import assume, given
from hypothesis import strategies as st

from schemas.catalog import Schema
from schemas.compatibility import problems
from schemas.forms import unsafe_reason
from schemas.possible import obstacles
from streams.avro.codec import HEADER, Codec, MemoryRegistry
from streams.errors import DeadReason, Undecodable
from tests.property.thorough import thorough

NUMBERS = {
    "int": st.integers(-(2**31), 2**31 - 1),
    "long": st.integers(-(2**63), 2**63 - 1) | st.integers(-5, 5),
    "float": st.floats(width=32),
    "double": st.floats() | st.integers(-5, 5).map(float),
}
PLAIN = {
    **NUMBERS,
    "null": st.none(),
    "boolean": st.booleans(),
    "string": st.text(max_size=5),
    "bytes": st.binary(max_size=5),
}
COLOURS = ("red", "blue", "green")


@st.composite
def enums(draw: st.DrawFn) -> Any:
    symbols = draw(st.lists(st.sampled_from(COLOURS), unique=True, min_size=1))
    default = {"default": draw(st.sampled_from(symbols))} if draw(st.booleans()) else {}
    return {"type": "enum", "name": "Colour", "symbols": symbols, **default}


@st.composite
def types(draw: st.DrawFn, depth: int = 2) -> Any:
    more = ["enum", "union", "array", "map", "record"] if depth else ["enum"]
    kind = draw(st.sampled_from([*PLAIN, *more]))
    if kind == "enum":
        return draw(enums())
    if kind == "union":
        branches = draw(st.lists(st.sampled_from([*PLAIN, "enum"]), unique=True, min_size=1, max_size=3))
        return [draw(enums()) if branch == "enum" else branch for branch in branches]
    if kind == "array":
        return {"type": "array", "items": draw(types(depth - 1))}
    if kind == "map":
        return {"type": "map", "values": draw(types(depth - 1))}
    if kind == "record":
        return draw(records(depth - 1))
    return kind


@st.composite
def records(draw: st.DrawFn, depth: int = 2) -> Schema:
    fields = []
    for field in draw(st.lists(st.sampled_from("abcd"), unique=True, min_size=1, max_size=4)):
        kind = draw(types(depth))
        default = {"default": 1} if kind in (["int"], "int", "long") and draw(st.booleans()) else {}
        fields.append({"name": field, "type": kind, **default})
    return {"type": "record", "name": "R", "fields": fields}


def named(schema: Any, place: str = "R") -> Any:
    """The schema with types named by their place, so that names are unique and the same in both schemas."""
    if isinstance(schema, list):
        return [named(branch, place) for branch in schema]
    if not isinstance(schema, dict):
        return schema
    made = {**schema, "name": place} if "name" in schema else dict(schema)
    if "fields" in schema:
        made["fields"] = [{**f, "type": named(f["type"], f"{place}_{f['name']}")} for f in schema["fields"]]
    for inner in ("items", "values"):
        if inner in schema:
            made[inner] = named(schema[inner], f"{place}_{inner}")
    return made


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Schema, Schema]:
    """A producer's schema and ours."""
    writer = draw(records())
    reader = draw(changed(writer))
    assume(unsafe_reason(writer) is None and unsafe_reason(reader) is None)
    return named(writer), named(reader)


def values(kind: Any) -> st.SearchStrategy[Any]:
    if isinstance(kind, list):
        return st.one_of([values(branch) for branch in kind])
    if isinstance(kind, str):
        return PLAIN[kind]
    if kind["type"] == "enum":
        return st.sampled_from(kind["symbols"])
    if kind["type"] == "array":
        return st.lists(values(kind["items"]), max_size=3)
    if kind["type"] == "map":
        return st.dictionaries(st.text(max_size=3), values(kind["values"]), max_size=3)
    return st.fixed_dictionaries({field["name"]: values(field["type"]) for field in kind["fields"]})


@st.composite
def changed(draw: st.DrawFn, schema: Schema) -> Schema:
    """The schema as a producer would change it: reordered, nullable, widened, grown, or with another type."""
    new = copy.deepcopy(schema)
    fields = draw(st.permutations(new["fields"]))
    for field in fields:
        change = draw(st.sampled_from(["keep", "keep", "nullable", "wider", "narrower", "symbol", "other", "text"]))
        kind = field["type"]
        if change == "nullable" and not isinstance(kind, list) and kind != "null":
            field["type"] = ["null", kind]
            field.pop("default", None)
        elif change == "wider" and isinstance(kind, str) and kind in NUMBERS:
            field["type"] = {"int": "long", "long": "double", "float": "double", "double": "double"}[kind]
        elif change == "narrower" and isinstance(kind, str) and kind in NUMBERS:
            field["type"] = {"int": "int", "long": "int", "float": "float", "double": "float"}[kind]
        elif change == "symbol" and isinstance(kind, dict) and kind["type"] == "enum":
            kind["symbols"] = [*kind["symbols"], *[c for c in COLOURS if c not in kind["symbols"]][:1]]
        elif change == "text" and isinstance(kind, dict) and kind["type"] == "enum":
            field["type"] = "string"
        elif change == "other":
            field["type"] = draw(types(1))
            field.pop("default", None)
    new["fields"] = [*fields, *([{"name": "e", "type": "long", "default": 7}] if draw(st.booleans()) else [])]
    return new


def written(writer: Schema, record: Any) -> bytes:
    out = BytesIO()
    schemaless_writer(out, parse_schema(copy.deepcopy(writer)), record)
    return out.getvalue()


def by_the_library(reader: Schema, writer: Schema, body: bytes) -> Any:
    parsed = parse_schema(copy.deepcopy(writer)), parse_schema(copy.deepcopy(reader))
    return schemaless_reader(BytesIO(body), *parsed)


def by_us(reader: Schema, writer: Schema, body: bytes) -> Any:
    registry = MemoryRegistry()
    header = HEADER.pack(0, registry.id_of("R", writer))
    return Codec(registry, {"R": reader}).decode(header + body)[1]


def shown(value: Any) -> str:
    """Text that tells 1 from 1.0 and knows that NaN is NaN."""
    if isinstance(value, dict):
        return str({key: shown(value[key]) for key in sorted(value)})
    if isinstance(value, list):
        return str([shown(item) for item in value])
    return repr(value)


@thorough(3)
@given(st.data())
def test_where_schemas_resolve_the_library_agrees(data: st.DataObject) -> None:
    writer, reader = data.draw(pairs())
    assume(not problems(reader, writer))
    assert not obstacles(reader, writer), "what can always be read can be read"
    body = written(writer, data.draw(values(writer)))
    try:
        wanted = by_the_library(reader, writer, body)
    except UnicodeDecodeError:
        return
    assert shown(by_us(reader, writer, body)) == shown(wanted)


def fits(reader: Any, value: Any) -> bool:
    """The slow oracle: whether our type has a place for a value."""
    if isinstance(reader, list):
        return any(fits(branch, value) for branch in reader)
    kind = reader["type"] if isinstance(reader, dict) else reader
    if isinstance(kind, str) and kind in NUMBERS:
        return number_fits(kind, value)
    if isinstance(value, str):
        return kind in ("string", "bytes") or (kind == "enum" and (value in reader["symbols"] or "default" in reader))
    if isinstance(value, bytes):
        return kind == "bytes" or (kind == "string" and value.decode(errors="ignore").encode() == value)
    if isinstance(value, list):
        return kind == "array" and all(fits(reader["items"], item) for item in value)
    if isinstance(value, dict) and kind == "map":
        return all(fits(reader["values"], item) for item in value.values())
    if isinstance(value, dict):
        return kind == "record" and all(field_fits(field, value) for field in reader["fields"])
    return kind == ("null" if value is None else "boolean")


def field_fits(field: Any, record: Any) -> bool:
    return fits(field["type"], record[field["name"]]) if field["name"] in record else "default" in field


def number_fits(kind: str, value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    if kind in ("int", "long"):
        exact = isinstance(value, int) or (math.isfinite(value) and value.is_integer() and abs(value) <= 2**53)
        limit = 2**31 if kind == "int" else 2**63
        return exact and -limit <= value < limit
    if kind == "double" or isinstance(value, int) or not math.isfinite(value):
        return True
    return abs(value) < 3.5e38 and float(np.float32(value)) == value


@thorough(3)
@given(st.data())
def test_a_record_is_read_exactly_when_its_values_fit(data: st.DataObject) -> None:
    writer, reader = data.draw(pairs())
    body = written(writer, data.draw(values(writer)))
    record = by_the_library(writer, writer, body)
    try:
        read = by_us(reader, writer, body)
    except Undecodable as refused:
        if refused.reason is DeadReason.WRONG_TYPE:
            assert not fits(reader, record)
            assert refused.detail.startswith("R.")
        else:
            assert obstacles(reader, writer)
        return
    assert fits(reader, record)
    for field in reader["fields"]:
        value = record.get(field["name"], field.get("default"))
        assert same(read[field["name"]], value) or "enum" in str(field["type"]) or "bytes" in str(field["type"])


def same(read: Any, value: Any) -> bool:
    """Whether a value is the same in another type of number."""
    if isinstance(read, dict) and isinstance(value, dict):
        return all(same(read[key], value[key]) for key in read if key in value)
    if isinstance(read, list):
        return all(same(*pair) for pair in zip(read, value, strict=True))
    if isinstance(value, float) and math.isnan(value):
        return math.isnan(read)
    if isinstance(value, bytes) or isinstance(read, bytes):
        return True
    return read == value or read == float(value)
