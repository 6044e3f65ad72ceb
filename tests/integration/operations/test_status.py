"""`status` and `customer` next to a running scorer. A file that is published again counts as duplicates."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agents.stages import STAGES
from tests.integration.conftest import Stack, Tidecast, tidecast_command
from tests.waiting import exit_code, until

MAPPING = 'event = "Purchase"\ncustomer = "who"\ntime = "day"\n[fields]\nitems = { value = 1 }\n'
ROWS = 60


@pytest.fixture(scope="module")
def file(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Create a CSV of purchases and its mapping. The system has its own topic prefix."""
    folder = tmp_path_factory.mktemp("status")
    days = [f"c{n % 6},2024-{1 + n // 20:02}-{1 + n % 20:02},{100 + n}" for n in range(ROWS)]
    (folder / "rows.csv").write_text("\n".join(["who,day,amount_cents", *days]))
    (folder / "map.toml").write_text(MAPPING)
    stack.env["TIDECAST_TOPIC_PREFIX"] = "status-test-"
    yield folder / "rows.csv"
    del stack.env["TIDECAST_TOPIC_PREFIX"]


@pytest.fixture
def scorer(stack: Stack, tidecast: Tidecast, file: Path) -> Iterator[None]:
    """Deploy the retail use case and run its scoring worker."""
    tidecast("deploy", "retail")
    worker = subprocess.Popen(tidecast_command("worker", "scoring", "--single", "--use-case", "retail"), env=stack.env)
    try:
        yield
    finally:
        worker.terminate()
        exit_code(worker)


def settled(tidecast: Tidecast, published: int) -> dict[str, Any]:
    """Return the status when scoring has processed the given number of events."""

    def status() -> dict[str, Any] | None:
        found: dict[str, Any] = json.loads(tidecast("status", "--use-case", "retail", "--json").stdout)
        lag = sum(place["lag"] for place in found["places"] if place["stage"] == "scoring")
        return found if found["published"] == published and lag == 0 else None

    return until(status)


def test_status_and_customer(tidecast: Tidecast, file: Path, scorer: None) -> None:
    publish = ("publish", str(file), "--mapping", str(file.parent / "map.toml"), "--as-fast-as-possible")
    tidecast(*publish, "--until", "2024-12-31")
    status = settled(tidecast, ROWS)
    assert status["counters"]["accepted"] == ROWS and status["counters"]["dead"] == 0
    assert set(status["ticks"].values()) == {"2024-12-31 00:00:00"} and status["watermark"] == "2024-12-30 23:00:00"
    assert status["counters"]["predictions"] > 2 * ROWS and status["counters"]["examples"] > ROWS
    assert {place["stage"].partition(" ")[0] for place in status["places"]} == STAGES.keys()
    history = {place["topic"]: place["lag"] for place in status["places"] if place["stage"] == "history"}
    assert history["labelled-examples"] > 0, "without stored rows, the lag is the whole log"

    untrained = {(each["target"], each["arm"], each["cause"], each["share"]) for each in status["fallbacks"]}
    assert ("churn", "logistic", "untrained", 1.0) in untrained and len(untrained) == 6, "no learner runs"
    assert sum(each["answers"] for each in status["fallbacks"]) == 3 * status["counters"]["predictions"]

    shown = tidecast("status", "--use-case", "retail").stdout
    assert "logistic (champion)" in shown and "untrained" in shown
    assert f"published {ROWS} = {ROWS} accepted + 0 duplicate + 0 late + 0 dead" in shown
    known = json.loads(tidecast("customer", "c3", "--use-case", "retail", "--predictions", "4", "--json").stdout)
    assert known["features"]["purchases"] == ROWS / 6 and known["clock"] == "2024-12-31 00:00:00"
    asked = [prediction["asked_at"] for prediction in known["predictions"]]
    assert len(asked) == 4 and asked == sorted(asked, reverse=True)
    assert {prediction["customer_id"] for prediction in known["predictions"]} == {"c3"}
    assert "purchases_13w" in tidecast("customer", "c3", "--use-case", "retail").stdout
    nobody = tidecast("customer", "c99", "--use-case", "retail", check=False)
    assert nobody.returncode == 1 and "There is no state of customer 'c99'" in nobody.stderr

    tidecast(*publish)
    again = settled(tidecast, 2 * ROWS)
    assert again["counters"]["accepted"] == ROWS and again["counters"]["duplicate"] == ROWS
    assert again["counters"]["predictions"] == status["counters"]["predictions"]


def test_the_lag_of_learners_reaches_0_when_all_is_learnt(
    stack: Stack, tidecast: Tidecast, file: Path, scorer: None
) -> None:
    """Nothing is saved yet: a snapshot holds 200 examples."""
    publish = ("publish", str(file), "--mapping", str(file.parent / "map.toml"), "--until", "2024-12-31")
    tidecast(*publish, "--as-fast-as-possible")

    def status() -> tuple[list[int], list[int], list[str]]:
        found = json.loads(tidecast("status", "--use-case", "retail", "--json").stdout)
        learners = [place for place in found["places"] if place["stage"].startswith("learning")]
        assert len(learners) == 6
        return [each["lag"] for each in learners], [each["next_offset"] for each in learners], found["problems"]

    until(lambda: min(status()[0]) > 60)
    assert "No worker runs learning, judging, monitoring, history" in status()[2][0]
    worker = subprocess.Popen(tidecast_command("worker", "learning", "--single", "--use-case", "retail"), env=stack.env)
    until(lambda: not any(status()[0]))
    lags, positions, problems = status()
    assert (lags, positions) == ([0] * 6, [0] * 6)
    assert "No worker runs judging, monitoring, history" in problems[0]
    worker.terminate()
    assert exit_code(worker) == 0
    until(lambda: min(status()[0]) > 60)  # it must learn again what it had in memory
