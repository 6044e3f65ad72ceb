"""`publish` in step with learning: questions are answered by versions that know what was known by then."""

import json
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import Stack, Tidecast, tidecast_command
from tests.waiting import exit_code, until

DAYS, CUSTOMERS = 220, 12


@pytest.fixture(scope="module")
def place(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A shop with a year of purchases, in a system of its own."""
    folder = tmp_path_factory.mktemp("in-step")
    stack.env["TIDECAST_TOPIC_PREFIX"] = "in-step-test-"
    subprocess.run(tidecast_command("init", str(folder / "shop")), env=stack.env, check=True, capture_output=True)
    start = datetime(2023, 1, 1, tzinfo=UTC)
    times = [(start + timedelta(hours=8 * n)).isoformat() for n in range(DAYS * 3)]
    lines = [f"o{n},c{(n * 7) % CUSTOMERS},{time},{n % 90},web" for n, time in enumerate(times)]
    (folder / "rows.csv").write_text("\n".join(["order,customer,time,euros,channel", *lines]) + "\n")
    yield folder
    del stack.env["TIDECAST_TOPIC_PREFIX"]


def test_without_workers_it_says_what_to_start(tidecast: Tidecast, place: Path) -> None:
    tidecast("deploy", str(place / "shop"))
    done = tidecast("publish", str(place / "rows.csv"), "--mapping", str(place / "shop" / "sample.toml"), check=False)
    assert done.returncode == 1 and "start `tidecast worker`" in done.stderr
    assert "--as-fast-as-possible" in done.stderr


def test_answers_come_from_versions_of_their_time(stack: Stack, tidecast: Tidecast, place: Path) -> None:
    """The remedy of the error is followed. Then no version is served later than a tick after it was complete."""
    worker = subprocess.Popen(tidecast_command("worker", "--use-case", str(place / "shop")), env=stack.env)
    try:
        done = until(lambda: published(tidecast, place))
        records = read(tidecast, "labelled-examples"), read(tidecast, "customer-events")
    finally:
        worker.terminate()
        exit_code(worker)
    assert "No new version" not in done.stderr
    learnt = {(r["target"], r["offset"]): r["source"] for r in records[0] if r["type"] == "tidecast.LabelledExample"}
    ticks: dict[int, list[int]] = {}
    served = set()
    for record in records[1]:  # in the order of each partition; the offset of a switch is that of an example
        if record["type"] == "tidecast.Tick":
            ticks.setdefault(record["partition"], []).append(record["offset"])
        elif record["type"] == "tidecast.Switch":
            served.add((record["target"], record["version"]))
            source = learnt[record["target"], int(record["version"].rpartition("@")[2])]
            if record["partition"] == source["partition"]:
                assert sum(at > source["offset"] for at in ticks[record["partition"]]) <= 1, record
    assert len(served) > 20


def published(tidecast: Tidecast, place: Path) -> "subprocess.CompletedProcess[str] | None":
    """The publication, once its worker is ready."""
    mapping = str(place / "shop" / "sample.toml")
    done = tidecast("publish", str(place / "rows.csv"), "--mapping", mapping, check=False)
    return None if "start `tidecast worker`" in done.stderr else done


def read(tidecast: Tidecast, topic: str) -> list[dict[str, Any]]:
    done = tidecast("tail", topic, "--from", "beginning", "--no-follow", "--json")
    return [json.loads(line) for line in done.stdout.splitlines()]
