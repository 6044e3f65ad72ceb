"""Mapping files, and the conversion of rows to records."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from agents.importing.mapping.mapper import RowMapper
from agents.importing.mapping.mapping_file import MappingError, parse_mapping, read_mapping
from agents.importing.values.misfit import Misfit
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
    ((_, record),) = mapper(text, (*COLUMNS, "order")).records(row(order="17.0"), "x")
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
        ({"who": "NULL"}, "who is 'NULL', which stands for a missing value"),
        ({"who": "x" * 600}, "who has more than 512 bytes"),
        ({"who": "c1\nc2"}, "who 'c1..c2' holds a line break"),
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
        (GOOD + "channel = { column = 'who', format = '%Y' }", "fields.channel: format is for times and dates"),
        (GOOD.replace("[fields]", "encoding = 'latin-11'\n[fields]"), "there is no encoding 'latin-11'"),
        (GOOD.replace("[fields]", "decimal = ','\nthousands = ','\n[fields]"), "they must differ"),
        (GOOD.replace("[fields]", "missing = 'NA'\n[fields]"), "missing is not a list"),
        (GOOD.replace("[fields]", "where = 'lefft == 1'\n[fields]"), "where names the column 'lefft', which is not in"),
        (GOOD.replace("[fields]", "where = 'left =='\n[fields]"), "where: 'left ==' is not an expression"),
        (GOOD.replace("[fields]", "[columns]\nwho = '1'\n[fields]"), "columns.who: the file has such a column"),
        (GOOD.replace("[fields]", "[columns]\na = 'numbr(left)'\n[fields]"), "calls numbr, which there is not"),
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


def test_a_misspelt_column_of_json_is_told_after_the_last_row() -> None:
    """CSV and Parquet name their columns at the start; in JSON any row may have them."""
    found = mapper(GOOD + 'channel = "chanel_name"', None)
    list(found.records(row(channel_name="app"), "x"))
    with pytest.raises(MappingError, match=r"names the column 'chanel_name', .* did you mean 'channel_name'"):
        found.columns.check_seen()
    list(found.records(row(chanel_name="app"), "y"))
    found.columns.check_seen()


def test_a_part_of_a_structure_is_a_column() -> None:
    text = GOOD.replace('column = "euros"', 'column = "payload.euros"')
    for columns in (None, ("who", "day", "payload")):
        found = mapper(text, columns)
        ((_, record),) = found.records({"who": "c1", "day": "1970-01-02", "payload": {"euros": "1.10"}}, "x")
        assert record["cents"] == 110
        with pytest.raises(Misfit, match=r"payload\.euros is empty"):
            list(found.records({"who": "c1", "day": "1970-01-02", "payload": None}, "x"))
    absent = mapper(text, None)
    with pytest.raises(Misfit, match=r"payload\.euros is empty"):
        list(absent.records(row(), "x"))
    with pytest.raises(MappingError, match=r"'payload\.euros', which is not in the file"):
        absent.columns.check_seen()


def test_an_unused_column_that_is_nearly_a_field_is_told() -> None:
    found = mapper(columns=(*COLUMNS, "chanel"))
    list(found.records(row(chanel="app"), "x"))
    assert found.columns.misspelt() == [("chanel", "channel")] and found.columns.unused() == ["left", "chanel"]
    rows = mapper(columns=None)
    list(rows.records(row(chanel="app"), "x"))
    assert rows.columns.misspelt() == [("chanel", "channel")]


def test_computed_columns_and_a_filter() -> None:
    text = (
        GOOD.replace(
            "[fields]",
            """where = 'left != "No" and not missing(euros)'
[columns]
total = "number(euros) * number(count, 1) - 0.1"
moment = "day + 'T' + hour"
[fields]""",
        )
        .replace('"day"', '"moment"')
        .replace('column = "euros"', 'column = "total"')
    )
    found = mapper(text, (*COLUMNS, "count", "hour"))
    ((_, record),) = found.records(row(left="Yes", euros="1.15", count="3", hour="01:00"), "x")
    assert (record["cents"], record["occurred_at"]) == (335, 90_000_000)
    assert list(found.records(row(left="No", count="x", hour="01:00"), "x")) == []
    with pytest.raises(Misfit, match=r"total \(number\(euros\) .*'x' is not a number"):
        list(found.records(row(left="Yes", count="x", hour="01:00"), "x"))


def test_an_empty_outcome_is_none() -> None:
    text = GOOD + '[outcome]\ntarget = "churn"\nvalue = { column = "left", map = { Yes = 1, No = 0 } }\n'
    assert [name for name, _ in mapper(text).records(row(left=" "), "d-2")] == ["shop.Order"]
    assert [name for name, _ in mapper(text).records(row(left="Yes"), "d-2")] == ["shop.Order", "tidecast.Outcome"]
    with pytest.raises(Misfit, match="left 'perhaps' is none of"):
        list(mapper(text).records(row(left="perhaps"), "d-2"))
