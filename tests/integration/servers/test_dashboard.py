"""Every query of the Grafana dashboards runs on the real engine with data written by the history."""

import json
import re
import time
import uuid
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

import sinks.clickhouse
from sinks.clickhouse.client import READING, WRITING, connect
from sinks.clickhouse.history import History
from tests.integration.conftest import Stack
from tests.integration.servers.history_log import DAY, EPOCH, HOUR, START, MadeUpLog, new_codec

pytestmark = pytest.mark.integration

FOLDER = Path(sinks.clickhouse.__file__).parent / "dashboards"
NOW = int(time.time() * 1000)
RANGES = {"recorded_at": (NOW - 6 * HOUR, NOW + HOUR), "event_time": (START - DAY, START + 9 * DAY)}
TARGETS = "'churn','spend'"
INTERVAL_S = 60


def targets() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield (dashboard and panel, panel type, Grafana query) for every query of every dashboard."""
    for file in sorted(FOLDER.glob("*.json")):
        dashboard = json.loads(file.read_text(encoding="utf-8"))
        for panel in dashboard["panels"]:
            for target in panel.get("targets", ()):
                yield f"{file.stem}: {panel['title']}", panel["type"], target
        for annotation in dashboard["annotations"]["list"]:
            yield f"{file.stem}: {annotation['name']}", "annotation", annotation["target"]
        for variable in dashboard["templating"]["list"]:
            if variable["type"] == "query":
                yield f"{file.stem}: ${variable['name']}", "variable", {"rawSql": variable["query"], "format": 1}


QUERIES = {name: (kind, target) for name, kind, target in targets()}


def expanded(sql: str, clock: str) -> str:
    """Return the query as Grafana and its ClickHouse data source send it, for one time axis."""
    if "$__timeFilter(recorded_at)" in sql:  # this query has only one axis
        clock = "recorded_at"
    start, end = (ms // 1000 for ms in RANGES[clock])
    sql = sql.replace("${clock:raw}", clock).replace("${target:singlequote}", TARGETS)
    sql = re.sub(r"\$__timeFilter\(([^()]*)\)", rf"\1 >= toDateTime({start}) AND \1 <= toDateTime({end})", sql)
    sql = re.sub(
        r"\$__timeInterval\(([^()]*)\)", rf"toStartOfInterval(toDateTime(\1), INTERVAL {INTERVAL_S} second)", sql
    )
    sql = sql.replace("$__interval_s", str(INTERVAL_S))
    assert "$" not in sql, f"unknown macro or variable in {sql}"
    return sql


@pytest.fixture(scope="module")
def reader(stack: Stack) -> Iterator[Any]:
    url = urlsplit(stack.clickhouse)
    name = f"dashboard_{uuid.uuid4().hex[:8]}"
    log = MadeUpLog(NOW)
    history = History(lambda: connect(name, WRITING, host=url.hostname, port=url.port), new_codec(), EPOCH)
    history.assign(list(log.logs))
    for _ in range(2):  # rows that are written twice must not show
        for part in history.process(log.logs):
            part.commit()
    yield connect(name, READING, host=url.hostname, port=url.port)
    connect("default", host=url.hostname, port=url.port).command(f"DROP DATABASE {name}")


def test_dashboard_has_queries() -> None:
    names = [name for name, _, _ in targets()]
    assert len(names) > 25
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("clock", RANGES)
@pytest.mark.parametrize("name", QUERIES)
def test_panel_shows_something(reader: Any, name: str, clock: str) -> None:
    kind, target = QUERIES[name]
    found = reader.query(expanded(target["rawSql"], clock))
    assert found.result_rows, "the query returns no rows"
    columns = dict(zip(found.column_names, found.result_columns, strict=True))
    if kind in ("timeseries", "annotation"):
        times = list(columns.pop("time"))
        assert all(isinstance(at, datetime) for at in times)
        assert times == sorted(times), "Grafana needs the rows in order of time"
    if kind == "timeseries":
        numbers = [column for column in columns.values() if isinstance(column[0], (int, float))]
        labels = [column for column in columns.values() if isinstance(column[0], str)]
        assert len(numbers) + len(labels) == len(columns)
        assert numbers, "a series needs a number"
        assert len(set(zip(times, *labels, strict=True))) == len(times), "one value per series and time"
    if kind == "stat":
        assert len(columns) == len(found.result_rows) == 1


def test_formats_fit_the_panels() -> None:
    for name, (kind, target) in QUERIES.items():
        assert target["format"] == (0 if kind == "timeseries" else 1), name


def test_numbers_are_right(reader: Any) -> None:
    expected = MadeUpLog(NOW).expected

    def total(name: str, column: str) -> float:
        found = reader.query(expanded(QUERIES[f"tidecast: {name}"][1]["rawSql"], "recorded_at"))
        return sum(dict(zip(found.column_names, found.result_columns, strict=True))[column])

    assert total("Events", "events") == expected["events"]
    assert total("Predictions", "predictions") == expected["predictions"]
    assert total("Alerts open now", "open") == expected["open_alerts"]
    received = sum(expected[kind] for kind in ("events", "duplicate", "conflicts"))
    assert total("Events per minute, by type", "per_minute") == received
    assert total("Distribution of the answers: $target", "questions") == pytest.approx(expected["predictions"], abs=20)
    assert total("Dead letters, by reason", "dead") == expected["dead"]
    accounting = "Published = accepted + duplicate + late + dead"
    parts = ("accepted", "duplicate", "late", "dead")
    assert total(accounting, "published") == sum(total(accounting, part) for part in parts)


def test_panels_do_not_overlap() -> None:
    for file in FOLDER.glob("*.json"):
        taken: set[tuple[int, int]] = set()
        for panel in json.loads(file.read_text(encoding="utf-8"))["panels"]:
            at = panel["gridPos"]
            cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
            assert not taken & cells, panel["title"]
            assert at["x"] + at["w"] <= 24
            taken |= cells
