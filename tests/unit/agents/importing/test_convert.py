"""Conversion of column values to Avro values."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from agents.importing.convert import Misfit, Rule, time_converter

TIMESTAMP = {"type": "long", "logicalType": "timestamp-millis"}
OPTIONAL_INT = ["null", "int"]


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
        (Rule("c"), "boolean", "Yes", True),
        (Rule("c"), "boolean", False, False),
        (Rule("c"), OPTIONAL_INT, "", None),
        (Rule("c"), OPTIONAL_INT, None, None),
        (Rule("c"), OPTIONAL_INT, "3", 3),
        (Rule("c", map={"Yes": 1, "No": 0}), "double", "Yes", 1.0),
        (Rule("c", map={"true": 1, "false": 0}), "double", True, 1.0),
        (Rule("c"), {"type": "map", "values": "double"}, '{"a": 1.5}', {"a": 1.5}),
        (Rule("c"), {"type": "map", "values": "double"}, {"a": Decimal("1.5")}, {"a": 1.5}),
    ],
)
def test_values(rule: Rule, schema: Any, value: Any, expected: Any) -> None:
    converted = rule.convert_for(schema)(value)
    assert converted == expected and type(converted) is type(expected)


@pytest.mark.parametrize(
    ("rule", "schema", "value", "reason"),
    [
        (Rule("c"), "long", "1.5", "not a whole number; give the field a scale"),
        (Rule("c"), "long", "abc", "'abc' is not a number"),
        (Rule("c"), "long", "", "is empty"),
        (Rule("c"), "long", None, "is empty"),
        (Rule("c"), "int", str(2**31), "too large"),
        (Rule("c"), "long", "1e400", "not finite, or too large"),
        (Rule("c"), "long", True, "True is not a number"),
        (Rule("c"), "long", "NaN", "not finite, or too large"),
        (Rule("c"), "double", "NaN", "not a finite number"),
        (Rule("c"), "double", float("inf"), "not a finite number"),
        (Rule("c"), "boolean", "maybe", "neither true nor false"),
        (Rule("c"), "string", b"x", "bytes"),
        (Rule("c", map={"Yes": 1}), "double", "yes", "'yes' is none of 'Yes'"),
    ],
)
def test_misfits_say_why(rule: Rule, schema: Any, value: Any, reason: str) -> None:
    with pytest.raises(Misfit, match=reason):
        rule.convert_for(schema)(value)


@pytest.mark.parametrize(
    ("format", "zone", "value", "expected"),
    [
        (None, "UTC", "1997-01-01", "1997-01-01T00:00:00+00:00"),
        (None, "UTC", " 2024-05-01T12:00:00.123Z ", "2024-05-01T12:00:00.123+00:00"),
        (None, "Europe/Berlin", "2024-07-01T12:00:00", "2024-07-01T10:00:00+00:00"),
        (None, "Europe/Berlin", "2024-07-01T12:00:00Z", "2024-07-01T12:00:00+00:00"),
        ("%d.%m.%Y", "UTC", "31.12.2023", "2023-12-31T00:00:00+00:00"),
        ("s", "UTC", "1.5", "1970-01-01T00:00:01.500+00:00"),
        ("ms", "UTC", 1500, "1970-01-01T00:00:01.500+00:00"),
        (None, "UTC", date(2020, 2, 29), "2020-02-29T00:00:00+00:00"),
        (None, "UTC", datetime(2020, 2, 29, 1), "2020-02-29T01:00:00+00:00"),
        (None, "UTC", "0001-01-01", "0001-01-01T00:00:00+00:00"),
    ],
)
def test_times(format: str | None, zone: str, value: Any, expected: str) -> None:
    moment = datetime.fromisoformat(expected)
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    assert time_converter(format, ZoneInfo(zone))(value) == round((moment - epoch).total_seconds() * 1000)


@pytest.mark.parametrize("value", ["31.12.2023", 17, None, ""])
def test_what_is_no_time(value: Any) -> None:
    with pytest.raises(Misfit):
        time_converter(None, UTC)(value)


def test_a_timestamp_field_takes_its_format_from_the_rule() -> None:
    assert Rule("c", format="%Y").convert_for(TIMESTAMP)("1971") == 365 * 86_400_000
