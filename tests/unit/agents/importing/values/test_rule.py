"""Column values to Avro values."""

from datetime import date
from decimal import Decimal
from io import BytesIO
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from fastavro import parse_schema, schemaless_reader, schemaless_writer
from hypothesis import given
from hypothesis import strategies as st

from agents.importing.values.misfit import Misfit
from agents.importing.values.notation import Notation
from agents.importing.values.rule import Rule
from schemas.forms import strip_logical_types

TIMESTAMP = {"type": "long", "logicalType": "timestamp-millis"}
OPTIONAL_INT = ["null", "int"]
PRICE = {"type": "bytes", "logicalType": "decimal", "precision": 10, "scale": 2}
TIER = {"type": "enum", "name": "Tier", "symbols": ["GOLD", "SILVER"]}


@pytest.mark.parametrize(
    ("rule", "schema", "value", "expected"),
    [
        (Rule("c"), "long", "17", 17),
        (Rule("c"), "long", "17.0", 17),
        (Rule("c", scale=Decimal(100)), "long", "29.33", 2933),
        (Rule("c", scale=Decimal(100)), "long", 29.33, 2933),
        (Rule("c", scale=Decimal(100)), "long", "0.125", 12),
        (Rule("c", scale=Decimal(100)), "long", "0.135", 14),
        (Rule("c", scale=Decimal(100)), "long", Decimal("1.005"), 100),
        (Rule("c", scale=Decimal("0.01")), "double", "250", 2.5),
        (Rule("c"), "double", "1e3", 1000.0),
        (Rule("c"), "string", 7, "7"),
        (Rule("c"), "string", b"caf\xc3\xa9", "café"),
        (Rule("c"), "boolean", "Yes", True),
        (Rule("c"), "boolean", False, False),
        (Rule("c"), "boolean", "1.0", True),
        (Rule("c"), OPTIONAL_INT, "3", 3),
        (Rule("c", map={"Yes": 1, "No": 0}), "double", "Yes", 1.0),
        (Rule("c", map={"true": 1, "false": 0}), "double", True, 1.0),
        (Rule("c", map={"": 0}), "int", "", 0),
        (Rule("c"), {"type": "map", "values": "double"}, '{"a": 1.5}', {"a": 1.5}),
        (Rule("c"), {"type": "map", "values": "double"}, {"a": Decimal("1.5")}, {"a": 1.5}),
        (Rule("c"), {"type": "map", "values": "long"}, [("a", 1)], {"a": 1}),
        (Rule("c"), TIER, " GOLD ", "GOLD"),
        (Rule("c"), {"type": "string", "logicalType": "uuid"}, UUID(int=7).hex.upper(), str(UUID(int=7))),
        (Rule("c"), {"type": "int", "logicalType": "date"}, "1970-02-01", 31),
        (Rule("c", format="%d.%m.%Y"), {"type": "int", "logicalType": "date"}, "01.02.1970", 31),
        (Rule("c"), {"type": "int", "logicalType": "date"}, date(1969, 12, 31), -1),
        (Rule("c"), {"type": "long", "logicalType": "timestamp-micros"}, "1970-01-01T00:00:01.000007Z", 1_000_007),
        (Rule("c"), {"type": "int", "logicalType": "time-millis"}, "00:01:00.5", 60_500),
        (Rule("c"), {"type": "long", "logicalType": "time-micros"}, "01:00", 3_600_000_000),
        (Rule("c"), ["null", "string", "long"], "7", "7"),
        (Rule("c"), ["null", "string", "long"], 7, 7),
        (Rule("c"), ["null", "long", "double"], "7.5", 7.5),
        (Rule("c"), "bytes", "é", b"\xc3\xa9"),
    ],
)  # fmt: skip
def test_values(rule: Rule, schema: Any, value: Any, expected: Any) -> None:
    converted = rule.convert_for(schema)(value)
    assert converted == expected and type(converted) is type(expected)


MISSING = ["", "  ", "\u00a0", None, "NA", "n/a", "NULL", "null", "NaN", "None", "\\N", "<NA>", float("nan")]


@pytest.mark.parametrize("value", MISSING)
@pytest.mark.parametrize("schema", ["int", "double", "boolean", TIMESTAMP, PRICE, TIER])
def test_a_missing_value_is_null_the_default_or_a_misfit(schema: Any, value: Any) -> None:
    assert Rule("c").convert_for(["null", schema])(value) is None
    assert Rule("c").convert_for(schema, default=3)(value) == 3
    with pytest.raises(Misfit, match="is empty"):
        Rule("c").convert_for(schema)(value)


def test_texts_are_missing_only_if_the_mapping_says_so() -> None:
    plain, told = Notation(), Notation(missing=("NA", "-"))
    assert [Rule("c").convert_for(["null", "string"], plain)(text) for text in ("NA", "", "x")] == ["NA", None, "x"]
    assert [Rule("c").convert_for(["null", "string"], told)(text) for text in ("NA", " - ", "x")] == [None, None, "x"]
    assert Rule("c").convert_for("string", plain)("") == ""
    with pytest.raises(Misfit, match="'NULL' is not a number"):
        Rule("c").convert_for(OPTIONAL_INT, told)("NULL")


@pytest.mark.parametrize(
    ("rule", "schema", "value", "reason"),
    [
        (Rule("c"), "long", "1.5", "not a whole number; give the field a scale"),
        (Rule("c"), "long", "abc", "'abc' is not a number"),
        (Rule("c"), "long", "1_000", "'1_000' is not a number"),
        (Rule("c"), "long", "٣", "is not a number"),
        (Rule("c"), "int", str(2**31), "too large"),
        (Rule("c"), "long", "1e400", "not finite, or too large"),
        (Rule("c"), "long", True, "True' is not a number"),
        (Rule("c"), "double", float("inf"), "not a finite number"),
        (Rule("c"), "float", "1e39", "not a finite number"),
        (Rule("c"), "boolean", "maybe", "neither true nor false"),
        (Rule("c"), "string", b"\xff", "bytes that are not text in UTF-8"),
        (Rule("c", map={"Yes": 1}), "double", "yes", "'yes' is none of 'Yes'"),
        (Rule("c"), TIER, "BRONZE", "'BRONZE' is none of GOLD, SILVER"),
        (Rule("c"), PRICE, "1.005", "more than 2 digits after the point"),
        (Rule("c"), PRICE, "123456789.00", "more than 10 digits"),
        (Rule("c"), {"type": "array", "items": "long"}, '["a"]', "does not fit the field"),
        (Rule("c"), {"type": "array", "items": "long"}, "[1", "is not JSON"),
        (Rule("c"), "long", "10,50", 'write decimal = ","'),
        (Rule("c"), "long", "1 000", "thousands"),
    ],
)
def test_misfits_say_why(rule: Rule, schema: Any, value: Any, reason: str) -> None:
    with pytest.raises(Misfit, match=reason):
        rule.convert_for(schema)(value)


@pytest.mark.parametrize(
    ("rule", "schema", "problem"),
    [
        (Rule("c", format="%Y"), "long", "format is for times and dates, and the field is a long"),
        (Rule("c", zone=ZoneInfo("Europe/Berlin")), "string", "zone is for times"),
        (Rule("c", scale=Decimal(2)), "string", "scale is for numbers"),
        (Rule("c"), {"type": "fixed", "name": "D", "size": 12, "logicalType": "duration"}, "is an Avro duration"),
    ],
)
def test_a_key_without_meaning_for_the_type_is_an_error(rule: Rule, schema: Any, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        rule.convert_for(schema)


@pytest.mark.parametrize(
    ("notation", "text", "number"),
    [
        (Notation(","), "10,50", "10.50"),
        (Notation(",", "."), "1.234.567,8", "1234567.8"),
        (Notation(",", "."), "1.200", "1200"),
        (Notation(".", ","), "-1,234.5", "-1234.5"),
        (Notation(",", " "), "1\u202f234,5", "1234.5"),
        (Notation(".", "'"), "1’234.5", "1234.5"),
        (Notation(",", "."), "1.20", None),
        (Notation(".", ","), "1,20", None),
        (Notation(","), "10.50", None),
        (Notation(doubtful=True), "1.200", None),
        (Notation(doubtful=True), "0.200", "0.2"),
        (Notation(doubtful=True), "1.25", "1.25"),
    ],
)
def test_decimal_and_thousands_marks(notation: Notation, text: str, number: str | None) -> None:
    parse = notation.decimal_parser()
    if number is None:
        with pytest.raises(Misfit, match=r"is not a number|is ambiguous"):
            parse(text)
    else:
        assert parse(text) == Decimal(number)


@given(st.decimals(min_value=-(10**8) + 1, max_value=10**8 - 1, places=2))
def test_avro_decimals_are_what_the_avro_library_reads(number: Decimal) -> None:
    """The oracle: fastavro's own decimal, from the bytes that are written without the logical type."""
    out = BytesIO()
    schemaless_writer(out, parse_schema(strip_logical_types(PRICE)), Rule("c").convert_for(PRICE)(str(number)))
    out.seek(0)
    assert schemaless_reader(out, parse_schema(PRICE), None) == number
