"""The conversion of records to rows is pure and accepts every record."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from schemas.topics import CUSTOMER_EVENTS, LABELLED_EXAMPLES, PREDICTIONS
from sinks.clickhouse.columns import COLUMNS
from sinks.clickhouse.rows import MAPPERS, RecordPlace, customer_rows, identity_of, moment, rows_of, undecodable_rows

PLACE = RecordPlace(CUSTOMER_EVENTS, 7, 2, 40, 1_700_000_000_000)
CALL = {"event_id": "e1", "customer_id": "c1", "occurred_at": 5, "source": "switch"}


def named(table, row):
    return dict(zip(COLUMNS[table], row, strict=True))


def event(**fields):
    (_, counted), (table, row) = customer_rows(PLACE, "telecom.Call", CALL | fields)
    assert table == "events_by_kind_raw"
    return named("records_raw", counted), named(table, row)


def test_event_goes_into_two_tables():
    counted, row = event(seconds=1.5, kind="VOICE")
    assert counted["kind"] == "event"
    assert counted["record"] == "Call"
    assert counted["occurred_at"] == row["occurred_at"] == 5
    assert (row["event_type"], row["use_case"], row["customer_id"]) == ("Call", "telecom", "c1")
    assert (row["log_epoch"], row["log_partition"], row["log_offset"], row["recorded_at"]) == PLACE[1:]
    assert row["numbers"] == {"seconds": 1.5}
    assert row["texts"] == {"kind": "VOICE"}


def test_every_kind_of_field_finds_its_map():
    _, row = event(
        cents=3,
        big=2**53 + 1,
        yes=True,
        nothing=None,
        raw=b"\x01\xff",
        tags=["é", 1],
        props={"a": 1.0, "b": {"c": "x"}},
    )
    assert row["numbers"] == {"cents": 3.0, "yes": 1.0, "props.a": 1.0}
    assert row["texts"] == {"big": "9007199254740993", "raw": "01ff", "tags": '["é", 1]', "props.b.c": "x"}


def test_same_event_published_again_has_the_same_identity():
    assert event()[0]["identity"] == event(seconds=2.0)[0]["identity"] != event(customer_id="c2")[0]["identity"]
    assert identity_of("a", "bc") != identity_of("ab", "c")


@pytest.mark.parametrize(
    "record", [{}, {"event_id": 3}, CALL | {"event_id": None}, CALL | {"occurred_at": "x"}, CALL | {"source": None}]
)
def test_record_of_no_event_is_only_counted(record):
    [(table, row)] = customer_rows(PLACE, "elsewhere.Stranger", record)
    assert (table, row[3], row[4]) == ("records_raw", "unknown", "Stranger")


def test_switches_keep_their_fields_and_unknown_controls_their_json():
    switch = {"target": "churn", "arm": "a", "version": "churn/a.1@4", "command": 0, "offset": 4, "digest": b"\x0f"}
    (_, counted), (table, row) = customer_rows(PLACE, "tidecast.Switch", switch)
    row = named(table, row)
    assert counted[3:5] == ("control", "Switch")
    assert (row["target"], row["version"], row["examples_offset"]) == ("churn", "churn/a.1@4", 4)
    assert '"digest": "0f"' in row["body"]
    (_, _), (table, row) = customer_rows(PLACE, "tidecast.Pause", {"until": 3})
    assert named(table, row)["body"] == '{"until": 3}'


def test_ticks_are_only_counted():
    [(table, row)] = customer_rows(PLACE, "tidecast.Tick", {"time": 9, "writer": "w", "signature": None})
    assert named(table, row)["kind"] == "tick"
    assert named(table, row)["occurred_at"] == 9


def test_bytes_that_are_no_record_count_where_events_are_published():
    [(_, row)] = undecodable_rows(PLACE)
    assert row[3] == "undecodable"
    assert undecodable_rows(PLACE._replace(topic=PREDICTIONS)) == []


def test_records_where_they_do_not_belong_have_no_rows():
    assert rows_of(PLACE._replace(topic=PREDICTIONS), "telecom.Call", CALL) == []
    assert rows_of(PLACE._replace(topic=LABELLED_EXAMPLES), "tidecast.Switch", {}) == []


def test_every_mapper_writes_a_table_that_exists():
    assert {topic for topic, _ in MAPPERS} >= {PREDICTIONS, LABELLED_EXAMPLES}
    for columns in COLUMNS.values():
        assert len(set(columns)) == len(columns)


@given(some.integers(-(2**63), 2**63 - 1))
def test_moments_fit_the_column_and_keep_their_order(ms):
    assert moment(-2_208_988_800_000) <= moment(ms) <= moment(10_413_791_999_999)
    assert moment(ms) == ms or abs(moment(ms)) < abs(ms)
