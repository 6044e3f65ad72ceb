"""Mapping files, and the conversion of rows to records."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from agents.importing.convert import Misfit
from agents.importing.mapper import RowMapper
from agents.importing.mapping import MappingError, parse_mapping, read_mapping
from schemas.catalog import load_schemas

SHOP = {
    "type": "record",
    "name": "Order",
    "namespace": "shop",
    "fields": [
        {"name": "event_id", "type": "string"},
        {"name": "customer_id", "type": "string"},
        {"name": "occurred_at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "cents", "type": "long"},
        {"name": "channel", "type": "string", "default": "web"},
        {"name": "note", "type": ["null", "string"], "default": None},
        {"name": "source", "type": "string", "default": ""},
    ],
}
SCHEMAS = {"shop.Order": SHOP, **load_schemas()}
GOOD = """
event = "Order"
customer = "who"
time = "day"
source = "test"
[fields]
cents = { column = "euros", scale = 100 }
"""
COLUMNS = ("who", "day", "euros", "left")


def mapper(text: str = GOOD, columns: tuple[str, ...] | None = COLUMNS) -> RowMapper:
    mapping = parse_mapping(tomllib.loads(text))
    return RowMapper(mapping, "shop.Order" if mapping.event else None, SCHEMAS, columns)


def row(**changes: Any) -> dict[str, Any]:
    return {"who": "c1", "day": "1970-01-02", "euros": "1.10", "left": "No", **changes}


def test_a_row_becomes_an_event() -> None:
    (found,) = mapper().records(row(), "digest-2")
    assert found == (
        "shop.Order",
        {"event_id": "digest-2", "customer_id": "c1", "occurred_at": 86_400_000, "source": "test", "cents": 110},
    )


def test_fields_with_the_name_of_their_column_need_not_be_named() -> None:
    ((_, record),) = mapper(columns=(*COLUMNS, "channel")).records(row(channel=""), "x")
    assert record["channel"] == ""
    ((_, record),) = mapper(columns=None).records(row(), "x")
    assert record["channel"] == "web" and record["note"] is None


def test_an_id_column_and_constants() -> None:
    text = GOOD.replace("[fields]", 'id = "order"\n[fields]\nchannel = { value = "app" }')
    ((_, record),) = mapper(text, (*COLUMNS, "order")).records(row(order=17.0), "x")
    assert (record["event_id"], record["channel"]) == ("17", "app")


def test_a_row_that_is_an_event_and_its_outcome() -> None:
    text = GOOD + '[outcome]\ntarget = "churn"\nvalue = { column = "left", map = { Yes = 1, No = 0 } }\n'
    (_, _), (name, outcome) = mapper(text).records(row(left="Yes"), "d-2")
    assert name == "tidecast.Outcome"
    assert outcome == {
        "outcome_id": "d-2/churn",
        "customer_id": "c1",
        "target": "churn",
        "prediction_id": None,
        "occurred_at": 86_400_001,
        "value": 1.0,
        "source": "test",
    }


def test_rows_that_are_outcomes_only_with_a_time_of_their_own() -> None:
    text = 'customer = "who"\ntime = "day"\n[outcome]\ntarget = "churn"\nvalue = "euros"\ntime = "left"\n'
    ((_, outcome),) = mapper(text).records(row(left="1970-01-03"), "d-2")
    assert (outcome["occurred_at"], outcome["value"]) == (2 * 86_400_000, 1.1)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"who": ""}, "who is empty"),
        ({"who": None}, "who is empty"),
        ({"day": "yesterday"}, "day 'yesterday' is not a time"),
        ({"euros": "x"}, "euros 'x' is not a number"),
    ],
)
def test_a_row_that_does_not_fit_names_the_column(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(Misfit, match=reason):
        list(mapper().records(row(**changes), "x"))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (GOOD + "cent = 'x'", "Order has no field 'cent'; did you mean 'cents'?"),
        (GOOD + "event_id = 'x'", "fields.event_id is set by the key id at the top"),
        (GOOD + "channel = 'chanel'", "fields.channel names the column 'chanel', which is not in the file"),
        (GOOD + "channel = { valu = 1 }", "unknown key 'valu'; did you mean 'value'?"),
        (GOOD + "channel = { column = 'who', value = 1 }", "either a column or a value"),
        (GOOD + "channel = 3", "neither a column's name nor a table"),
        (GOOD.replace('"who"', '"whom"'), "customer names the column 'whom'"),
        (GOOD.replace("time =", "tine ="), "unknown key 'tine'; did you mean 'time'?"),
        (GOOD.replace('time = "day"', ""), "the key time is missing"),
        (GOOD.replace('event = "Order"', ""), "name the event that a row becomes"),
        (GOOD.replace("scale = 100", 'scale = "x"'), "the scale 'x' is not a number"),
        (GOOD.replace('"day"', '{ column = "day", zone = "Mars" }'), "no time zone 'Mars'"),
        (GOOD.replace("cents = { column", "cents = { column2"), "unknown key 'column2'"),
        (GOOD.replace('cents = { column = "euros", scale = 100 }', ""), "nothing says what Order.cents is"),
        (GOOD.replace("[fields]", "separator = ';;'\n[fields]"), "separator is not one character"),
        (GOOD + "[outcome]\ntarget = 'x'", "outcome: the key value is missing"),
    ],
)
def test_a_wrong_mapping_says_what_to_do(text: str, problem: str) -> None:
    with pytest.raises(MappingError, match=problem.replace("?", r"\?")):
        mapper(text)


def test_files_that_are_no_mapping(tmp_path: Path) -> None:
    with pytest.raises(MappingError, match="cannot be read"):
        read_mapping(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("event =")
    with pytest.raises(MappingError, match="is not TOML"):
        read_mapping(tmp_path / "bad.toml")
