import json
from io import BytesIO
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
from fastavro import parse_schema, schemaless_reader

from load.customers import schema as schemas
from load.customers.behaviour import CustomerBehaviour
from load.customers.scenarios import SCENARIOS, Scenario
from load.customers.schedule import EventSchedule
from load.customers.stream import HOT, EventStream
from load.wire import plain

FILE = Path(schemas.__file__).parents[1] / "reference" / "use_case" / "schemas" / "activity.avsc"
OLD = json.loads(FILE.read_text())
NEW = {**OLD, "fields": [*OLD["fields"], schemas.NEW_FIELD]}
HEADERS = ((b"\0\0\0\0\1", b""), (b"\0\0\0\0\2", schemas.NEW_FIELD_BYTES))
READERS = {1: parse_schema(plain(OLD)), 2: parse_schema(plain(NEW))}


def stream(scenario: Scenario, total: int = 6000, seed: int = 1, customers: int = 2000) -> EventStream:
    behaviour = CustomerBehaviour(customers, seed, 3000, scenario.skew, scenario.rings)
    return EventStream(behaviour, scenario, total, seed, HEADERS)


def decoded(value: bytes) -> dict[str, Any]:
    body = BytesIO(value[5:])
    record: Any = schemaless_reader(body, READERS[int.from_bytes(value[1:5], "big")], None)
    assert not body.read()
    return record  # type: ignore[no-any-return]


def records(scenario: Scenario, **arguments: int) -> list[dict[str, Any]]:
    return [decoded(value) for chunk in stream(scenario, **arguments) for value in chunk.values]


def test_it_is_what_an_avro_library_reads() -> None:
    for header, layout in zip(HEADERS, (OLD, NEW), strict=True):
        schemas.check(layout, *header)
    with pytest.raises(click.ClickException, match="not the schema"):
        schemas.check(NEW, *HEADERS[0])
    renamed = {**OLD, "fields": [OLD["fields"][1], OLD["fields"][0], *OLD["fields"][2:]]}
    with pytest.raises(click.ClickException, match="not the schema"):
        schemas.check(renamed, *HEADERS[0])


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_scenario_gives_all_it_should_the_same_each_time(name: str) -> None:
    chunks, again = list(stream(SCENARIOS[name])), list(stream(SCENARIOS[name]))
    assert chunks == again
    assert sum(len(chunk.values) for chunk in chunks) == 6000
    assert [chunk.tick for chunk in chunks] == sorted({chunk.tick for chunk in chunks})
    good = 0
    for chunk in chunks:
        for key, value in zip(chunk.keys, chunk.values, strict=True):
            if value[:1] == b"\0":
                good += 1
                record = decoded(value)
                assert record["customer_id"].encode() == key and len(record["event_id"]) == 16
                assert record["occurred_at"] < chunk.tick
    assert good == sum(len(chunk.values) - chunk.malformed for chunk in chunks)


def test_ids_are_unique_but_for_duplicates() -> None:
    ids = [record["event_id"] for record in records(SCENARIOS["steady"])]
    assert len(set(ids)) == len(ids) and not set(ids) & {r["event_id"] for r in records(SCENARIOS["steady"], seed=2)}
    chunks = list(stream(SCENARIOS["duplicates"]))
    ids = [decoded(value)["event_id"] for chunk in chunks for value in chunk.values]
    assert len(ids) - len(set(ids)) == sum(chunk.repeated for chunk in chunks) > 300


def test_shares_are_as_declared() -> None:
    hot = [r["customer_id"] for r in records(SCENARIOS["hot-customer"])]
    assert 0.17 < hot.count(f"c{HOT:08d}") / len(hot) < 0.25
    malformed = stream(SCENARIOS["malformed"])
    assert 0.03 < sum(chunk.malformed for chunk in malformed) / 6000 < 0.07
    new = [len(r) == 8 for r in records(SCENARIOS["new-schema"])]
    assert new == sorted(new) and 0.4 < sum(new) / len(new) < 0.6


def test_late_records_are_those_behind_the_watermark() -> None:
    watermark, late, total = 0, 0, 0
    for chunk in stream(SCENARIOS["late"]):
        expected = sum(decoded(value)["occurred_at"] < watermark for value in chunk.values)
        assert chunk.late == expected
        watermark = chunk.tick - 3_600_000
        late, total = late + expected, total + len(chunk.values)
    assert 0 < late <= 0.04 * total
    assert not any(chunk.late for chunk in stream(SCENARIOS["steady"]))


def test_a_pace_keeps_the_rate_and_its_form() -> None:
    steady = EventSchedule(100.0, 10.0, ((0.0, 1.0),))
    assert steady.events == 1000
    assert steady.moments(0, 3) == pytest.approx([0.005, 0.015, 0.025])
    rush = EventSchedule(100.0, 10.0, SCENARIOS["rush-hour"].load)
    moments = rush.moments(0, rush.events)
    assert (np.diff(moments) >= 0).all() and moments[-1] < 10.0
    assert ((moments >= 4.0) & (moments < 6.0)).sum() == pytest.approx(600, abs=2)
    away = EventSchedule(100.0, 10.0, ((0.0, 1.0),), (0.4, 0.5)).moments(0, 1000)
    assert ((away >= 4.0) & (away < 5.0)).sum() == 0 and (away == 5.0).sum() == 100
