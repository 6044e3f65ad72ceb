"""The compiled writers write the same bytes as the Avro library, or refuse the record."""

from io import BytesIO

import pytest
from fastavro import parse_schema, schemaless_writer
from hypothesis import given
from hypothesis import strategies as st

from schemas.forms import strip_logical_types
from schemas.history import all_schemas
from streams.avro.codec import Codec, MemoryRegistry
from streams.avro.compiled_writer import Unusual, compiled
from streams.errors import Undecodable
from tests.property.thorough import thorough

SCHEMAS = {name: strip_logical_types(schema) for name, schema in all_schemas().items()}
PARSED = {name: parse_schema(schema) for name, schema in SCHEMAS.items()}
WRITERS = {name: compiled(schema) for name, schema in SCHEMAS.items()}
PRIMITIVES = {
    "null": st.none(),
    "boolean": st.booleans(),
    "int": st.integers(-(2**31), 2**31 - 1),
    "long": st.integers(-(2**63), 2**63 - 1) | st.integers(-70_000, 70_000),
    "double": st.floats(),
    "float": st.floats(width=32),
    "string": st.text(max_size=20),
    "bytes": st.binary(max_size=20),
}


def values(kind, named):
    if isinstance(kind, list):
        return st.one_of(*(values(branch, named) for branch in kind))
    if isinstance(kind, str):
        return PRIMITIVES[kind] if kind in PRIMITIVES else values(named[kind], named)
    if kind["type"] == "array":
        return st.lists(values(kind["items"], named), max_size=4)
    if kind["type"] == "map":
        return st.dictionaries(st.text(max_size=4), values(kind["values"], named), max_size=3)
    named[kind["name"]] = named[f"{kind.get('namespace')}.{kind['name']}"] = kind
    return st.fixed_dictionaries({field["name"]: values(field["type"], named) for field in kind["fields"]})


RECORDS = {name: values(schema, {}) for name, schema in SCHEMAS.items()}


def by_the_library(name, record):
    out = BytesIO()
    schemaless_writer(out, PARSED[name], record, strict_allow_default=True)
    return out.getvalue()


@thorough(4)
@given(st.data(), st.sampled_from(sorted(SCHEMAS)))
def test_the_same_bytes(data, name):
    record = data.draw(RECORDS[name])
    assert WRITERS[name](record) == by_the_library(name, record)


@thorough(4)
@given(st.data(), st.sampled_from(sorted(SCHEMAS)))
def test_whatever_else_is_written_by_the_library_or_by_nobody(data, name):
    """A record with a changed, missing or additional field is written as the library writes it, or refused."""
    record = data.draw(RECORDS[name])
    field = data.draw(st.sampled_from([*record, "another"]))
    other = st.one_of(*PRIMITIVES.values(), st.lists(st.integers(), max_size=2), st.just({}), st.just(()))
    record[field] = data.draw(other)
    if data.draw(st.booleans()):
        del record[field]
    try:
        fast = WRITERS[name](record)
    except Exception:
        return
    assert fast == by_the_library(name, record)


@pytest.mark.parametrize("value", [0, -1, 63, 64, 8191, 8192, -8193, 2**28, 2**31, 2**63 - 1, -(2**63)])
def test_numbers_at_the_edges(value):
    record = {"time": value, "writer": "", "signature": None, "gap": None}
    assert WRITERS["tidecast.Tick"](record) == by_the_library("tidecast.Tick", record)


@pytest.mark.parametrize(
    "record",
    [
        {"time": 2**63, "writer": "", "signature": None, "gap": None},
        {"time": True, "writer": "", "signature": None, "gap": None},
        {"time": 1.0, "writer": "", "signature": None, "gap": None},
        {"time": 1, "writer": b"", "signature": None, "gap": None},
        {"time": 1, "writer": "", "signature": "s", "gap": None},
        {"time": 1, "writer": "", "signature": None},
        {"time": 1, "writer": "", "signature": None, "gap": None, "more": None},
        {"time": 1, "writer": "x" * 8192, "signature": None, "gap": None},
    ],
)
def test_what_the_compiled_writer_leaves_to_the_library(record):
    with pytest.raises((Unusual, KeyError, AttributeError, IndexError)):
        WRITERS["tidecast.Tick"](record)


def test_a_schema_it_does_not_know_is_written_all_the_same():
    colour = {"type": "enum", "name": "Colour", "symbols": ["red", "blue"]}
    schema = {"type": "record", "name": "X", "fields": [{"name": "colour", "type": colour}]}
    with pytest.raises(Unusual):
        compiled(schema)({"colour": "blue"})
    codec = Codec(MemoryRegistry(), {"X": schema})
    assert codec.decode(codec.encode("X", {"colour": "blue"})) == ("X", {"colour": "blue"})
    with pytest.raises(Undecodable):
        codec.encode("X", {"colour": "green"})
