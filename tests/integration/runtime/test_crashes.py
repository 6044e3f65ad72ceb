"""The whole path: workers are killed with SIGKILL while a file is published. A replay gives the same results."""

import csv
import json
import random
import signal
import subprocess
import uuid
from collections.abc import Iterator
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path

import psutil
import pytest

from agents.kafka.tail_reader import TailReader
from agents.operations.status import StatusReader
from agents.settings import load_settings
from agents.wiring import connect_system
from tests.integration.conftest import Stack, tidecast_command
from tests.waiting import exit_code, until

pytestmark = pytest.mark.integration
CUSTOMERS = 150
DAYS = 400
KILLS = 6
MAPPING = """
event = "Purchase"
customer = "customer"
time = "day"
[fields]
items = "items"
amount_cents = "cents"
"""


class System:
    """A retail system with its own topics and tables. Only the command line controls it."""

    def __init__(self, stack: Stack, folder: Path) -> None:
        name = uuid.uuid4().hex[:8]
        own = {"TIDECAST_TOPIC_PREFIX": f"crash-{name}.", "TIDECAST_CLICKHOUSE_DATABASE": f"crash_{name}"}
        self.env = {**stack.env, **own, "TIDECAST_USE_CASE": "retail"}
        self.folder = folder
        self.worker: subprocess.Popen[bytes] | None = None

    def run(self, *arguments: str) -> str:
        """Run a command until it ends. Return its output."""
        done = subprocess.run(
            tidecast_command(*arguments), env=self.env, capture_output=True, text=True, stdin=subprocess.DEVNULL
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def start(self, *arguments: str) -> "subprocess.Popen[bytes]":
        """Start a command in the background."""
        log = (self.folder / f"{arguments[0]}.log").open("wb")
        return subprocess.Popen(
            tidecast_command(*arguments), env=self.env, stdout=log, stderr=log, stdin=subprocess.DEVNULL
        )

    def status(self) -> dict:
        """Return the result of `tidecast status --json`."""
        return json.loads(self.run("status", "--json"))

    @cached_property
    def observer(self) -> StatusReader:
        """A status reader for frequent polling. A new command for each poll would take CPU time from the workers."""
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self.env.items():
                patch.setenv(name, value)
            wiring = connect_system(load_settings(), "retail")
        return StatusReader(wiring, TailReader(wiring.settings, wiring.codec))

    def kill_one(self, r: random.Random) -> None:
        """Kill one worker process with SIGKILL. Its supervisor starts it again."""
        assert self.worker is not None
        supervisor = psutil.Process(self.worker.pid)
        r.choice(until(lambda: [child for child in supervisor.children() if runs(child)])).kill()

    def caught_up(self) -> bool:
        """Return whether every stage has read its logs. Learning is left out because it reports only at snapshots."""
        found = self.observer.look()
        lags = [place.lag for place in found.places if not place.stage.startswith("learning")]
        return bool(lags) and not any(lags) and not found.notes


def runs(process: psutil.Process) -> bool:
    """Return whether the process runs. A process that was just killed does not."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.fixture
def system(stack: Stack, tmp_path: Path) -> Iterator[System]:
    made = System(stack, tmp_path)
    yield made
    if made.worker is not None:
        made.worker.send_signal(signal.SIGTERM)
        exit_code(made.worker)


def purchases(file: Path) -> int:
    """Write a file of purchases by customers who buy less often over time. Return its number of rows."""
    r = random.Random(7)
    rows = []
    for customer in range(CUSTOMERS):
        day, pause = r.randrange(60), r.choice((4, 9, 20))
        while day < DAYS:
            when = date(2024, 1, 1) + timedelta(days=day)
            rows.append((f"c{customer}", when.isoformat(), r.randrange(1, 5), r.randrange(100, 9000)))
            day += 1 + int(r.expovariate(1 / pause))
            pause *= r.choice((1, 1, 1, 1.3))
    r.shuffle(rows)
    with file.open("w", newline="") as out:
        csv.writer(out).writerows([("customer", "day", "items", "cents"), *rows])
    return len(rows)


def test_killed_workers_leave_no_trace(system: System) -> None:
    file, mapping = system.folder / "purchases.csv", system.folder / "purchases.toml"
    rows = purchases(file)
    mapping.write_text(MAPPING)
    publish = ("publish", str(file), "--mapping", str(mapping))
    system.run("deploy", "retail", "--partitions", "3")
    system.worker = system.start("worker")
    r = random.Random(11)
    publisher = system.start(*publish, "--speed", str(86_400 * DAYS // 20) + "x")
    for kill in range(KILLS):
        until(lambda share=kill: system.observer.scoring().published > rows * (share + 0.5) / KILLS)
        system.kill_one(r)
    assert exit_code(publisher) == 0
    system.run(*publish, "--as-fast-as-possible")
    until(system.caught_up)

    told = system.status()["counters"]
    assert told["accepted"] == rows
    assert told["duplicate"] + told["late"] == rows, "a file that is published again changes nothing"
    assert told["dead"] == 0
    system.worker.send_signal(signal.SIGTERM)
    assert exit_code(system.worker) == 0
    system.worker = None
    assert "a replay of the logs gives the same" in system.run("verify")
    stored = system.run("sql", "SELECT count() AS n FROM predictions", "--format", "csv")
    assert int(stored.split()[1]) == told["predictions"] > 10 * CUSTOMERS
