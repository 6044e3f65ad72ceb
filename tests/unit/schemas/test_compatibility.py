"""Schema resolution, case by case."""

import re

import pytest

from schemas.compatibility import change_problems, growth_problems, problems
from schemas.forms import strip_logical_types


def record(*fields, name="R", **more):
    return {"type": "record", "name": name, "namespace": "n", "fields": list(fields), **more}


def field(name, kind, **more):
    return {"name": name, "type": kind, **more}


MILLIS = {"type": "long", "logicalType": "timestamp-millis"}
MICROS = {"type": "long", "logicalType": "timestamp-micros"}
COLOUR = {"type": "enum", "name": "Colour", "symbols": ["red", "blue"]}
MORE_COLOUR = {"type": "enum", "name": "Colour", "symbols": ["red", "blue", "green"]}
OTHER_COLOUR = {**COLOUR, "default": "red"}
DECIMAL = {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}
TREE = record(field("children", {"type": "array", "items": "n.R"}))


@pytest.mark.parametrize(
    ("reader", "writer"),
    [
        ("long", "int"),
        ("double", "long"),
        ("double", "float"),
        ("bytes", "string"),
        (["null", "long"], "long"),
        (["null", "long"], "null"),
        (["null", "double"], ["null", "int"]),
        (MILLIS, "long"),
        ({"type": "string"}, "string"),
        ({"type": "array", "items": "long"}, {"type": "array", "items": "int"}),
        ({"type": "map", "values": "long"}, {"type": "map", "values": "int"}),
        (MORE_COLOUR, COLOUR),
        (OTHER_COLOUR, MORE_COLOUR),
        ({"type": "fixed", "name": "F", "size": 4}, {"type": "fixed", "name": "F", "size": 4}),
    ],
)
def test_types_that_can_be_read(reader, writer):
    assert problems(record(field("a", reader)), record(field("a", writer))) == []


@pytest.mark.parametrize(
    ("reader", "writer", "word"),
    [
        ("int", "long", "long cannot be read as int"),
        ("long", "double", "double cannot be read as long"),
        ("string", "long", "long cannot be read as string"),
        ("long", ["null", "long"], "null cannot be read as long"),
        (["null", "long"], "string", "no branch"),
        (MILLIS, MICROS, "taken for"),
        ({"type": "array", "items": "int"}, {"type": "array", "items": "long"}, r"n\.R\.a\[\]"),
        (COLOUR, MORE_COLOUR, "lacks green"),
        ({**COLOUR, "name": "Hue"}, COLOUR, "is not Hue"),
        ({"type": "fixed", "name": "F", "size": 4}, {"type": "fixed", "name": "F", "size": 5}, "name or size"),
        (record(name="X"), record(name="Y"), "the record Y is not X"),
    ],
)
def test_types_that_cannot(reader, writer, word):
    found = problems(record(field("a", reader)), record(field("a", writer)))
    assert len(found) == 1
    assert re.search(word, found[0])
    assert found[0].endswith(".")


@pytest.mark.parametrize(
    ("new", "old"),
    [
        (MORE_COLOUR, COLOUR),
        (OTHER_COLOUR, COLOUR),
        (["null", MORE_COLOUR], COLOUR),
        ("long", "int"),
        ("double", "int"),
        ("double", "float"),
        (["null", "long"], "int"),
        ({"type": "map", "values": ["null", "long"]}, {"type": "map", "values": "int"}),
    ],
)
def test_types_that_have_grown(new, old):
    assert growth_problems(record(field("a", new)), record(field("a", old))) == []


@pytest.mark.parametrize(
    ("new", "old", "word"),
    [
        (COLOUR, MORE_COLOUR, "lacks green"),
        (OTHER_COLOUR, MORE_COLOUR, "lacks green, and records have it"),
        (["null", OTHER_COLOUR], ["null", MORE_COLOUR], "no branch"),
        ("int", "long", "cannot be read"),
        ("double", "long", "cannot be read as double"),
        ("float", "int", "cannot be read as float"),
        ("string", "bytes", "cannot be read as string"),
        ("long", ["null", "long"], "null cannot be read"),
        (MICROS, MILLIS, "taken for"),
    ],
)
def test_types_by_which_something_would_be_lost(new, old, word):
    found = growth_problems(record(field("a", new)), record(field("a", old)))
    assert len(found) == 1 and word in found[0]


def test_a_field_may_only_go_where_it_had_a_default():
    old = record(field("a", "int"), field("b", "string", default=""))
    assert growth_problems(record(field("a", "int")), old) == []
    assert growth_problems(record(field("b", "string", default="")), old) == [
        "n.R.a: the field is gone, and records have it."
    ]
    assert growth_problems(record(field("c", "int", aliases=["a"])), old) == []
    assert growth_problems(record(field("a", "int"), field("c", "int")), old)[0].startswith("n.R.c: the writer lacks")


def test_units_are_told_apart_wherever_they_stand():
    for reader, writer in ((MILLIS, {"type": "int", "logicalType": "date"}), (DECIMAL, {**DECIMAL, "scale": 4})):
        for at in (lambda kind: kind, lambda kind: {"type": "array", "items": kind}):
            found = problems(record(field("a", at(reader))), record(field("a", at(writer))))
            assert len(found) == 1 and "would be taken for" in found[0]


def test_fields_come_and_go_with_defaults():
    old = record(field("a", "int"))
    with_default = record(field("a", "int"), field("b", "string", default=""))
    without = record(field("a", "int"), field("b", "string"))
    assert change_problems(with_default, old) == []
    assert problems(old, without) == []
    assert problems(without, old) == ["n.R.b: the writer lacks the field and the reader has no default."]
    assert change_problems(without, old)[0].startswith("records written before would be unreadable: n.R.b")
    assert change_problems(old, without)[0].startswith("readers not yet upgraded would fail: n.R.b")


def test_a_renamed_field_is_found_by_its_alias():
    assert problems(record(field("new", "int", aliases=["old"])), record(field("old", "int"))) == []
    assert problems(record(field("new", "int")), record(field("old", "int")))


def test_names_are_resolved_in_their_namespace():
    inner = record(field("x", "int"), name="Inner")
    twice = record(field("a", inner), field("b", "Inner"))
    spelt_out = record(field("a", inner), field("b", "n.Inner"))
    assert change_problems(twice, spelt_out) == []
    wider = record(field("a", record(field("x", "long"), name="Inner")), field("b", "Inner"))
    assert problems(wider, twice) == []
    assert len(problems(twice, wider)) == 1


def test_a_recursive_schema_ends():
    assert change_problems(TREE, TREE) == []


def test_bare_keeps_what_decides_the_bytes():
    documented = record(
        field("a", {**MILLIS, "doc": "x"}, doc="y", default=0), field("doc", {"type": "string"}), doc="z"
    )
    assert strip_logical_types(documented) == record(field("a", "long", default=0), field("doc", "string"))
