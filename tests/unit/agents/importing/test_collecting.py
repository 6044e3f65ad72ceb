"""Files of several kinds of event become records in one event-time order."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from agents.importing.checks.identities import Identities
from agents.importing.collecting import Bounds, Collector, source_of
from agents.importing.deployed import declared_events
from agents.importing.files.opening import open_rows
from agents.importing.mapping.mapping_file import parse_mapping
from agents.importing.ordering import Sorter
from agents.importing.report import FileReport, RejectedRows, Report
from schemas.catalog import load_schemas
from streams.avro.codec import Codec, MemoryRegistry
from streams.usecases import load_use_case

KNOWN = declared_events(load_use_case("telecom"))
CODEC = Codec(MemoryRegistry(), {**load_schemas(), **KNOWN.schemas})
CALLS = """who,at,minutes,direction
c1,2024-01-01T10:00:00,5,OUT
c2,2024-01-03T10:00:00,1e120,OUT
c1,2024-01-03T10:00:00,2,IN
"""
PEOPLE = """who,at,sum,left,age
c1,2024-01-02,"1.234,50",,44
c2,2024-01-01,"0,50",Yes,NA
c3,2024-01-02,"2,00",No,
"""
CALL: dict[str, Any] = {"event": "Call", "customer": "who", "time": "at"}
TOP_UP: dict[str, Any] = {
    "event": "TopUp",
    "customer": "who",
    "time": "at",
    "decimal": ",",
    "thousands": ".",
    "fields": {"amount_cents": {"column": "sum", "scale": 100}},
    "outcome": {"target": "churn", "value": {"column": "left", "map": {"Yes": 1, "No": 0}}},
}
PROFILE: dict[str, Any] = {"event": "Profile", "customer": "who", "time": "at", "where": "not missing(age)"}


@contextmanager
def collected(folder: Path, *pairs: tuple[str, dict[str, Any]]) -> Iterator[tuple[list[Any], Report]]:
    """The records of (content, mapping) in the order in which they are sent, and the report."""
    sources = []
    for number, (text, mapping) in enumerate(pairs):
        (folder / f"{number}.csv").write_text(text)
        plan = parse_mapping(mapping)
        sources.append(source_of(open_rows(folder / f"{number}.csv", plan.format), plan, KNOWN))
    report = Report([FileReport(source.file.path, source.file.unit) for source in sources])
    with Sorter() as sorter, Identities() as identities:
        collector = Collector(
            KNOWN, CODEC, sorter, identities, Bounds(0, None), lambda *_: False, report, RejectedRows(report, None)
        )
        for number, source in enumerate(sources):
            collector.collect(source, number, lambda count: None)
        yield [CODEC.decode(message.value) for message in sorter.messages()], report


def test_several_kinds_of_event_in_one_order(tmp_path: Path) -> None:
    with collected(tmp_path, (CALLS, CALL), (PEOPLE, TOP_UP), (PEOPLE, PROFILE)) as (records, report):
        shown = [(name.rpartition(".")[2], record["customer_id"]) for name, record in records]
    assert shown == [
        *(("TopUp", "c2"), ("Outcome", "c2"), ("Call", "c1")),
        *(("TopUp", "c1"), ("TopUp", "c3"), ("Profile", "c1"), ("Outcome", "c3"), ("Call", "c1")),
    ]
    amounts = [record["amount_cents"] for name, record in records if name == "telecom.TopUp"]
    assert amounts == [50, 123450, 200]
    assert [record["value"] for name, record in records if name == "tidecast.Outcome"] == [1.0, 0.0]
    assert (report.events, report.outcomes) == (6, 2)
    assert [(file.rows, file.rejected, file.left_out) for file in report.files] == [(3, 1, 0), (3, 0, 0), (3, 0, 2)]
    assert "minutes" in report.reasons[0] and "0.csv, line 3: " in report.reasons[0]


def test_an_outcome_that_no_binary_target_can_have_is_rejected(tmp_path: Path) -> None:
    """Scoring would make it a dead letter; the event of its row is not sent either."""
    wrong = {**TOP_UP, "outcome": {"target": "churn", "value": {"value": 0.5}}}
    with collected(tmp_path, (PEOPLE, wrong)) as (records, report):
        assert records == [] and report.rejected == 3 and "is not an outcome of a binary target" in report.reasons[0]


@pytest.mark.parametrize(
    ("rows", "note"),
    [
        ("c1,2024-01-01,1,5,x", "columns that nothing uses: extra"),
        ("12345.0,2024-01-01,1,5,x", "1 ids are written as numbers with a fraction"),
        ("c1,2024-10-27T02:30:00,1,5,x", "1 local times occur twice"),
        ("c1,2024-01-01,1,5,x\nc1,2024-01-02,1,5,", "if the file was cut, its last row may be wrong"),
    ],
)
def test_what_was_decided_is_noted(tmp_path: Path, rows: str, note: str) -> None:
    mapping = {**CALL, "time": {"column": "at", "zone": "Europe/Berlin"}, "fields": {"direction": {"value": "OUT"}}}
    with collected(tmp_path, (f"who,at,minutes,cell,extra\n{rows}", mapping)) as (_, report):
        assert report.rejected == 0 and any(note in found for found in report.files[0].notes)
