import json
from pathlib import Path

import aiohttp
import pytest

from agents.runtime.health import LOG, HealthServer, StageHealth
from agents.runtime.metrics import RECORDS


async def ask(address: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(address) as answer:
        return answer.status, await answer.text()


def test_the_log_says_once_what_changes(caplog: pytest.LogCaptureFixture) -> None:
    stage = StageHealth("scoring")
    for _ in range(3):
        stage.green()
    for _ in range(3):
        stage.red("Redis is away.")
    stage.red("Kafka is away.")
    for _ in range(3):
        stage.green()
    assert [record.getMessage() for record in caplog.records] == [
        "scoring is red: Redis is away.",
        "scoring is red: Kafka is away.",
        "scoring is green again",
    ]


def test_a_warning_is_said_once_and_turns_nothing_red(caplog: pytest.LogCaptureFixture) -> None:
    stage = StageHealth("scoring")
    stage.green()
    for warning in ("", "Look.", "Look.", "", ""):
        stage.warn(warning)
    assert (stage.ready, stage.problem) == (True, "")
    assert [record.getMessage() for record in caplog.records] == [
        "scoring: Look.",
        "scoring: what it warned of is over",
    ]


def test_each_finder_takes_back_what_it_has_found_and_nothing_else() -> None:
    stage = StageHealth("scoring")
    stage.red("Redis is away.")
    stage.red("A transaction is open.", LOG)
    stage.green()
    assert (stage.problem, stage.ready) == ("A transaction is open.", True)
    stage.green(LOG)
    assert stage.problem == ""


def test_only_the_work_makes_a_stage_ready() -> None:
    stage = StageHealth("scoring")
    stage.green(LOG)
    assert not stage.ready


def test_no_credential_is_shown() -> None:
    stage = StageHealth("history")
    stage.red("http://app:se/cret@host:8123 does not answer.")
    assert stage.problem == "http://…@host:8123 does not answer."


async def test_health_readiness_and_metrics(tmp_path: Path) -> None:
    stage = StageHealth("scoring")
    server = HealthServer([stage], "127.0.0.1", 0)
    file = tmp_path / "address"
    await server.start(file)
    try:
        address = file.read_text().strip()
        assert address == f"http://127.0.0.1:{server.port}"
        assert (await ask(f"{address}/healthz"))[0] == 200  # healthy from the start
        assert (await ask(f"{address}/readyz"))[0] == 503
        stage.green()
        assert (await ask(f"{address}/readyz"))[0] == 200
        stage.red("Redis is away.")
        status, text = await ask(f"{address}/healthz")
        assert status == 503
        assert json.loads(text) == [{"name": "scoring", "ready": True, "problem": "Redis is away.", "warning": ""}]
        assert (await ask(f"{address}/readyz"))[0] == 503
        assert (await ask(f"{address}/livez"))[0] == 200  # a restart would not mend it
        RECORDS.labels("scoring", "customer-events").inc(3)
        status, text = await ask(f"{address}/metrics")
        assert status == 200
        assert 'tidecast_records_total{stage="scoring",topic="customer-events"} 3.0' in text
        assert 'tidecast_healthy{stage="scoring"} 0.0' in text
    finally:
        await server.stop()
