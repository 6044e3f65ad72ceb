"""A writer's schema that differs from the deployed one is judged record by record."""

from io import BytesIO
from typing import Any

import pytest
from fastavro import parse_schema, schemaless_writer

from schemas.catalog import Schema
from streams.avro.codec import HEADER, Codec, MemoryRegistry
from streams.errors import DeadReason, Undecodable

TIER = {"type": "enum", "name": "Tier", "symbols": ["BASIC", "GOLD"]}
GROWN = {**TIER, "symbols": ["BASIC", "GOLD", "PLATINUM"]}
OTHERWISE = {**TIER, "default": "BASIC"}
MILLIS = {"type": "long", "logicalType": "timestamp-millis"}
MICROS = {"type": "long", "logicalType": "timestamp-micros"}
DATE = {"type": "int", "logicalType": "date"}
CENTS = {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}
MILLS = {**CENTS, "scale": 3}
ADDRESS = {"type": "record", "name": "Address", "fields": [{"name": "town", "type": "string"}]}
OFFICE = {"type": "record", "name": "Office", "fields": [{"name": "town", "type": "string"}]}


def buy(*fields: dict[str, Any]) -> Schema:
    return {"type": "record", "name": "Buy", "namespace": "small", "fields": list(fields)}


def field(kind: Any, name: str = "a", **more: Any) -> dict[str, Any]:
    return {"name": name, "type": kind, **more}


def read(ours: Schema, writer: Schema, record: dict[str, Any]) -> dict[str, Any]:
    registry, out = MemoryRegistry(), BytesIO()
    out.write(HEADER.pack(0, registry.id_of("small.Buy", writer)))
    schemaless_writer(out, parse_schema(writer), record)
    name, found = Codec(registry, {"small.Buy": ours}).decode(out.getvalue())
    assert name == "small.Buy"
    return dict(found)


def refused(ours: Schema, writer: Schema, record: dict[str, Any]) -> Undecodable:
    with pytest.raises(Undecodable) as found:
        read(ours, writer, record)
    return found.value


@pytest.mark.parametrize(
    ("ours", "theirs", "value", "wanted"),
    [
        pytest.param(TIER, GROWN, "GOLD", "GOLD", id="a grown enum, a symbol that we know"),
        pytest.param(OTHERWISE, GROWN, "PLATINUM", "BASIC", id="a grown enum, our default"),
        pytest.param(TIER, "string", "GOLD", "GOLD", id="Connect writes enums as texts"),
        pytest.param("string", TIER, "GOLD", "GOLD", id="an enum as text"),
        pytest.param(TIER, ["null", {**TIER, "name": "Renamed"}], "GOLD", "GOLD", id="inner types named anew"),
        pytest.param("long", ["null", "long"], 5, 5, id="nullable, as ksqlDB writes everything"),
        pytest.param(MILLIS, ["null", MILLIS], 5, 5, id="nullable time"),
        pytest.param("int", "long", -(2**31), -(2**31), id="long that fits an int"),
        pytest.param("long", "double", 5.0, 5, id="JavaScript's only number"),
        pytest.param("double", "int", 5, 5.0, id="int to double"),
        pytest.param("float", "double", 0.5, 0.5, id="double that fits a float"),
        pytest.param("string", "bytes", b"\xc3\xa9", "é", id="bytes that are text"),
        pytest.param(["null", "string"], ["string", "null"], None, None, id="null in another place"),
        pytest.param(["null", "long", "string"], ["null", "string"], "5", "5", id="a union that shrank"),
        pytest.param(["null", ADDRESS], ADDRESS, {"town": "x"}, {"town": "x"}, id="a record in a union"),
        pytest.param(
            [OFFICE, ADDRESS], [ADDRESS, OFFICE], {"town": "x", "-type": "small.Office"}, {"town": "x"}, id="of two"
        ),
        pytest.param({"type": "map", "values": "long"}, {"type": "map", "values": "int"}, {"x": 1}, {"x": 1}, id="map"),
        pytest.param({"type": "array", "items": "int"}, {"type": "array", "items": "long"}, [1], [1], id="array"),
    ],
)
def test_what_fits_is_read(ours: Any, theirs: Any, value: Any, wanted: Any) -> None:
    found = read(buy(field(ours)), buy(field(theirs)), {"a": value})["a"]
    assert found == wanted and type(found) is type(wanted)


@pytest.mark.parametrize(
    ("ours", "theirs", "value", "told"),
    [
        (
            TIER,
            GROWN,
            "PLATINUM",
            r"Buy.a is 'PLATINUM', and the deployed enum has no such symbol and no default: it has",
        ),
        (TIER, "string", "gold", "Buy.a is 'gold'"),
        ("long", ["null", "long"], None, "Buy.a is None"),
        ("int", "long", 2**31, "Buy.a is 2147483648, and the deployed schema has a whole number of 32 bits (int)"),
        ("long", "double", 5.5, "Buy.a is 5.5"),
        ("long", "double", float("nan"), "Buy.a is nan"),
        ("long", "double", 1e300, "Buy.a is 1e+300"),
        ("float", "double", 0.1, "Buy.a is 0.1, and the deployed schema has a float of 32 bits"),
        ("string", "bytes", b"\xff", "Buy.a is b'\\xff', and the deployed schema has a text"),
        ({"type": "array", "items": "int"}, {"type": "array", "items": "long"}, [1, 2**40], "Buy.a[] is 1099511627776"),
        (["null", "int"], ["null", "long"], 2**40, "Buy.a is 1099511627776"),
        (["null", "int", "boolean"], ["null", "long"], 2**40, "Buy.a is 1099511627776"),
        ("long", ["null", "string", "long"], "x" * 300, "xx…, and the deployed schema has a whole number"),
    ],
)
def test_what_does_not_is_a_dead_letter_that_names_field_and_value(
    ours: Any, theirs: Any, value: Any, told: str
) -> None:
    error = refused(buy(field(ours)), buy(field(theirs)), {"a": value})
    assert error.reason is DeadReason.WRONG_TYPE
    assert told in error.detail and error.detail.endswith("requeue.")


@pytest.mark.parametrize(
    ("ours", "theirs", "told"),
    [
        (MILLIS, MICROS, "timestamp-micros would be taken for timestamp-millis"),
        (["null", MILLIS], ["null", MICROS], "timestamp-micros would be taken for timestamp-millis"),
        (["double", MILLIS], MICROS, "timestamp-micros would be taken for timestamp-millis"),
        (MILLIS, DATE, "date would be taken for timestamp-millis"),
        (CENTS, MILLS, "decimal of scale 3 would be taken for decimal of scale 2"),
        ("long", "string", "string cannot be read as long"),
        ("long", "null", "null cannot be read as long"),
        (["null", "boolean"], {"type": "array", "items": "long"}, "no value of array can be read as union"),
        (TIER, {**TIER, "symbols": ["A", "B"]}, "no symbol in common"),
    ],
)
def test_a_schema_of_which_nothing_fits_is_refused_whole(ours: Any, theirs: Any, told: str) -> None:
    """And one whose numbers mean another unit, which no value shows."""
    registry = MemoryRegistry()
    id = registry.id_of("small.Buy", buy(field(theirs)))
    with pytest.raises(Undecodable) as found:
        Codec(registry, {"small.Buy": buy(field(ours))}).decode(HEADER.pack(0, id) + b"\0" * 9)
    assert found.value.reason is DeadReason.UNKNOWN_SCHEMA
    assert told in found.value.detail and "small.Buy.a" in found.value.detail


def test_fields_are_matched_by_name_and_alias_in_any_order() -> None:
    ours = buy(
        field("long"), field("string", "b", aliases=["old"]), field({"type": "map", "values": "long"}, "c", default={})
    )
    writer = buy(field("string", "old"), field("double", "unread"), field(["null", "long"]))
    found = read(ours, writer, {"old": "x", "unread": 0.5, "a": 1})
    assert found == {"a": 1, "b": "x", "c": {}}
    assert list(found) == ["a", "b", "c"]


def test_defaults_are_values_of_their_type_and_nobodys_else() -> None:
    ours = buy(
        field("long"),
        field("double", "b", default=1),
        field("bytes", "c", default="\xff"),
        field(["null", "string"], "d", default=None),
        field({"type": "array", "items": "long"}, "e", default=[]),
    )
    registry, out = MemoryRegistry(), BytesIO()
    writer = buy(field("long"))
    out.write(HEADER.pack(0, registry.id_of("small.Buy", writer)))
    schemaless_writer(out, parse_schema(writer), {"a": 1})
    codec = Codec(registry, {"small.Buy": ours})
    first, second = (codec.decode(out.getvalue())[1] for _ in range(2))
    assert repr(first) == repr({"a": 1, "b": 1.0, "c": b"\xff", "d": None, "e": []})
    assert first["e"] is not second["e"]


# -- schemas of strangers


def test_a_type_that_a_skipped_field_declares_is_known_where_it_is_used() -> None:
    writer = buy(
        field(GROWN, "unread"), field(["null", "Tier"]), field({"type": "array", "items": "small.Tier"}, "more")
    )
    found = read(buy(field(TIER)), writer, {"unread": "PLATINUM", "a": "GOLD", "more": ["BASIC"]})
    assert found == {"a": "GOLD"}
    line = {"type": "record", "name": "Line", "fields": [field(TIER, "tier")]}
    writer = buy(field(line, "unread"), field(["null", "Tier"]), field("Line", "b"))
    ours = buy(field(TIER), field({**line, "fields": [field("Tier", "tier")]}, "b"))
    found = read(ours, writer, {"unread": {"tier": "GOLD"}, "a": "GOLD", "b": {"tier": "BASIC"}})
    assert found == {"a": "GOLD", "b": {"tier": "BASIC"}}
    nested = {"type": "array", "items": {"type": "record", "name": "Line", "fields": [field(TIER, "tier")]}}
    writer = buy(field(nested, "unread"), field(["null", "Line", "Tier"]))
    assert read(buy(field(TIER)), writer, {"unread": [{"tier": "BASIC"}], "a": "GOLD"}) == {"a": "GOLD"}


def test_parts_that_we_do_not_read_are_not_made() -> None:
    """A megabyte of them would become a hundred."""
    item = {"type": "record", "name": "Item", "fields": [field("boolean", "x")]}
    writer = buy(field({"type": "array", "items": item}, "unread"), field(["null", "long"]))
    registry = MemoryRegistry()
    header = HEADER.pack(0, registry.id_of("small.Buy", writer))
    codec = Codec(registry, {"small.Buy": buy(field("long"))})
    count = 900_000
    body = b"\xc0\xee\x6d" + b"\1" * count + b"\0" + b"\2\2"
    assert codec.decode(header + body)[1] == {"a": 1}
    for lie in (b"\xfe\xff\xff\xff\x7f", b"\x01\xff\x7f"):  # a count, or the size of a block, of which nothing is there
        with pytest.raises(Undecodable):
            codec.decode(header + lie + b"\0\0")


def test_a_huge_enum_costs_no_more_than_reading_it() -> None:
    many = {**TIER, "symbols": ["BASIC", *(f"S{n}" for n in range(50_000))]}
    ours = buy(field({**TIER, "symbols": [f"T{n}" for n in range(5_000)] + ["BASIC"]}))
    registry, writer = MemoryRegistry(), buy(field(many))
    id = registry.id_of("small.Buy", writer)
    codec = Codec(registry, {"small.Buy": ours})
    assert codec.decode(HEADER.pack(0, id) + b"\0")[1] == {"a": "BASIC"}
    with pytest.raises(Undecodable) as found:
        codec.decode(HEADER.pack(0, id) + b"\2")
    assert len(found.value.detail) < 500


@pytest.mark.parametrize("depth", [50, 150, 200, 240, 300, 330, 400, 480, 700, 1000, 5000])
def test_a_deep_schema_is_read_or_refused(depth: int) -> None:
    deep: Any = "long"
    for _ in range(depth):
        deep = {"type": "array", "items": deep}
    registry = MemoryRegistry()
    id = registry.id_of("small.Buy", buy(field(deep, "unread"), field(["null", "long"])))
    codec = Codec(registry, {"small.Buy": buy(field("long"))})
    value = HEADER.pack(0, id) + b"\0" + b"\2\2"
    try:
        assert codec.decode(value)[1] == {"a": 1}
    except Undecodable as error:
        assert error.reason in (DeadReason.UNKNOWN_SCHEMA, DeadReason.UNDECODABLE)


def test_many_unions_inside_each_other_end() -> None:
    """Each level would be compared twice as often as the one outside of it."""
    inner: Any = "long"
    for level in range(18):
        name = f"L{level}"
        inner = {"type": "record", "name": name, "fields": [field(["null", inner, "string"])]}
    registry = MemoryRegistry()
    id = registry.id_of("small.Buy", buy(field(inner, "a")))
    with pytest.raises(Undecodable):
        Codec(registry, {"small.Buy": buy(field("long"))}).decode(HEADER.pack(0, id))


def test_records_in_a_union_are_told_apart_by_their_schemas() -> None:
    """Their values do not show which they are, so that the schemas must resolve for all records."""
    ours = buy(field([OFFICE, ADDRESS]), field("long", "b", default=0))
    for name in ("Address", "Office"):
        found = read(ours, buy(field([ADDRESS, OFFICE])), {"a": {"town": "x", "-type": f"small.{name}"}})
        assert found == {"a": {"town": "x"}, "b": 0}
    error = refused(ours, buy(field([ADDRESS, OFFICE, "null"])), {"a": None})
    assert error.reason is DeadReason.UNKNOWN_SCHEMA
