"""The compatibility check against the Avro library. The library resolves every value that the check accepts.

The check is stricter than the library (all branches of a union, logical types). Only definite refusals of the library
are therefore compared in the other direction."""

import copy
from io import BytesIO

import pytest
from fastavro import parse_schema, schemaless_reader, schemaless_writer
from hypothesis import given
from hypothesis import strategies as st

from schemas.compatibility import problems
from tests.property.thorough import thorough

PRIMITIVES = {
    "boolean": st.booleans(),
    "int": st.integers(-(2**31), 2**31 - 1),
    "long": st.integers(-(2**63), 2**63 - 1),
    "double": st.floats(allow_nan=False),
    "string": st.text(max_size=5),
    "bytes": st.just(b"ab"),
}
DEFAULTS = {"boolean": True, "int": 1, "long": 2, "double": 0.5, "string": "s", "bytes": "b"}


@st.composite
def types(draw, depth=2):
    kind = draw(st.sampled_from([*PRIMITIVES, "nullable", "array", "map"] if depth else list(PRIMITIVES)))
    if kind == "nullable":
        return ["null", draw(st.sampled_from(list(PRIMITIVES)))]
    if kind == "array":
        return {"type": "array", "items": draw(types(depth - 1))}
    if kind == "map":
        return {"type": "map", "values": draw(types(depth - 1))}
    return kind


def values(kind):
    if isinstance(kind, list):
        return st.none() | values(kind[1])
    if isinstance(kind, dict):
        if kind["type"] == "array":
            return st.lists(values(kind["items"]), max_size=3)
        return st.dictionaries(st.text(max_size=3), values(kind["values"]), max_size=3)
    return PRIMITIVES[kind]


@st.composite
def records(draw):
    names = draw(st.lists(st.sampled_from("abcd"), unique=True, max_size=4))
    fields = []
    for name in names:
        kind = draw(types())
        field = {"name": name, "type": kind}
        if isinstance(kind, str) and draw(st.booleans()):
            field["default"] = DEFAULTS[kind]
        fields.append(field)
    return {"type": "record", "name": "R", "fields": fields}


@st.composite
def changed(draw, schema):
    """Draw the schema with one or two fields of another schema. Most pairs are nearly compatible."""
    new = copy.deepcopy(schema)
    other = draw(records())
    for field in other["fields"][:2]:
        new["fields"] = [old for old in new["fields"] if old["name"] != field["name"]]
        new["fields"].insert(draw(st.integers(0, len(new["fields"]))), field)
    return new


def resolves(writer, reader, datum):
    out = BytesIO()
    schemaless_writer(out, parse_schema(copy.deepcopy(writer)), datum)
    try:
        schemaless_reader(
            BytesIO(out.getvalue()), parse_schema(copy.deepcopy(writer)), parse_schema(copy.deepcopy(reader))
        )
    except Exception:
        return False
    return True


@thorough(2)
@given(st.data())
def test_what_passes_is_resolved(data):
    writer = data.draw(records())
    reader = data.draw(changed(writer))
    datum = {field["name"]: data.draw(values(field["type"])) for field in writer["fields"]}
    if not problems(reader, writer):
        assert resolves(writer, reader, datum)


@thorough(2)
@given(st.data())
def test_what_fails_to_resolve_is_refused(data):
    writer = data.draw(records())
    reader = data.draw(changed(writer))
    datum = {field["name"]: data.draw(values(field["type"])) for field in writer["fields"]}
    if not resolves(writer, reader, datum):
        assert problems(reader, writer)


SAMPLES = {
    "null": None,
    "boolean": True,
    "int": 1,
    "long": 2,
    "float": 0.5,
    "double": 0.5,
    "string": "s",
    "bytes": b"b",
}


@pytest.mark.parametrize("reader", SAMPLES)
@pytest.mark.parametrize("writer", SAMPLES)
def test_every_pair_of_primitive_types(writer, reader):
    written, read = ({"type": "record", "name": "R", "fields": [{"name": "a", "type": t}]} for t in (writer, reader))
    assert (problems(read, written) == []) == resolves(written, read, {"a": SAMPLES[writer]})
