"""`tidecast worker` as users run it: supervised processes on real servers."""

import contextlib
import os
import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import psutil
import pytest

from agents.stages import STAGES, by_process
from tests.integration.conftest import Stack, tidecast_command
from tests.waiting import PATIENCE_S, exit_code, until

pytestmark = pytest.mark.integration
_numbers = count()
KINDS = tuple("-".join(row.name for row in rows) for rows in by_process(STAGES).values())
"""The name of each worker process, made of its stages."""


class Place:
    """A system with its own topics and its own folder."""

    def __init__(self, stack: Stack, folder: Path) -> None:
        self.folder = folder
        self.started: list[subprocess.Popen[bytes]] = []
        self.run_folder = stack.folder / "run"
        prefix = f"worker-{os.getpid()}-{next(_numbers)}-"
        database = prefix.replace("-", "_")
        self.env = {**stack.env, "TIDECAST_TOPIC_PREFIX": prefix, "TIDECAST_CLICKHOUSE_DATABASE": database}

    def run(self, *words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            tidecast_command(*words),
            env={**self.env, **environment},
            cwd=self.folder,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=PATIENCE_S,
            check=False,
        )

    def start(self, *words: str) -> "subprocess.Popen[bytes]":
        with open(self.folder / "worker.log", "ab") as log:
            worker = subprocess.Popen(
                tidecast_command("worker", *words), env=self.env, cwd=self.folder, stderr=log, stdin=subprocess.DEVNULL
            )
        self.started.append(worker)
        return worker

    def said(self) -> str:
        return (self.folder / "worker.log").read_text()

    def ready(self, kind: str, slot: int = 0) -> bool:
        try:
            address = (self.run_folder / f"{kind}.{slot}.health").read_text().strip()
            with urllib.request.urlopen(f"{address}/readyz", timeout=PATIENCE_S) as answer:
                return bool(answer.status == 200)
        except (OSError, ValueError, urllib.error.URLError):
            return False

    def told(self, kind: str, slot: int = 0) -> str:
        """Return the body of /healthz, healthy or not. It is empty while the server does not answer."""
        try:
            address = (self.run_folder / f"{kind}.{slot}.health").read_text().strip()
            with urllib.request.urlopen(f"{address}/healthz", timeout=PATIENCE_S) as answer:
                return str(answer.read().decode())
        except urllib.error.HTTPError as red:
            return red.read().decode()
        except (OSError, ValueError):
            return ""

    def ticks(self) -> int:
        """Return the number of ticks in the log."""
        done = self.run("tail", "customer-events", "--type", "Tick", "--from", "beginning", "--no-follow", "--json")
        assert done.returncode == 0, done.stderr
        return len(done.stdout.splitlines())


@pytest.fixture
def place(stack: Stack, tmp_path: Path) -> Iterator[Place]:
    made = Place(stack, tmp_path)
    yield made
    for worker in made.started:
        if worker.poll() is None:
            worker.kill()  # its children end with it
        worker.wait()


def deploy(place: Place) -> None:
    """Deploy a new use case with the wall clock."""
    assert place.run("init", "mine").returncode == 0
    file = place.folder / "mine" / "usecase.py"
    text = file.read_text()
    assert 'clock="external"' in text
    file.write_text(text.replace('clock="external"', 'clock="wall"'))
    done = place.run("deploy", "./mine")
    assert done.returncode == 0, done.stderr


def children(parent: "subprocess.Popen[bytes]") -> dict[str, psutil.Process]:
    """Return the living child processes by kind."""
    found = {}
    for child in psutil.Process(parent.pid).children():
        with contextlib.suppress(psutil.Error):  # killed, but its parent has not noticed yet
            kind = "-".join(word for word in child.cmdline() if word in STAGES)
            found.update({kind: child} if kind else {})
    return found


def test_before_a_deployment_it_says_what_to_do(place: Place) -> None:
    done = place.run("worker")
    assert done.returncode == 1
    assert "tidecast deploy" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_everything_runs_survives_a_kill_and_ends_together(place: Place) -> None:
    deploy(place)
    worker = place.start()
    until(lambda: all(place.ready(kind) for kind in KINDS))
    before = children(worker)
    assert sorted(before) == sorted(KINDS)
    assert all(child.environ()["PYTHONHASHSEED"] == "0" for child in before.values())
    before["scoring"].send_signal(signal.SIGKILL)
    until(lambda: children(worker).get("scoring", before["scoring"]).pid != before["scoring"].pid)
    until(lambda: place.ready("scoring"))
    ticked = until(place.ticks)  # the use case has the wall clock
    until(lambda: place.ticks() > ticked)
    after = children(worker)
    assert all(after[kind].pid == before[kind].pid for kind in KINDS if kind != "scoring")
    worker.send_signal(signal.SIGINT)
    assert exit_code(worker) == 0
    assert not any(child.is_running() for child in after.values())
    assert not [kind for kind in KINDS if (place.run_folder / f"{kind}.0.health").exists()]
    assert "Traceback" not in place.said()


def test_definitions_that_are_not_the_logs_are_refused(place: Place) -> None:
    deploy(place)
    done = place.run("worker", "--use-case", "telecom")
    assert done.returncode == 1
    assert "--use-case" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("name", "value"),
    [("TIDECAST_REDIS_URL", "redis://127.0.0.1:1/0"), ("TIDECAST_KAFKA", "127.0.0.1:1")],
)
def test_a_server_out_of_reach_is_one_sentence(place: Place, name: str, value: str) -> None:
    deploy(place)
    done = place.run("worker", "scoring", **{name: value})
    assert done.returncode == 1
    assert "127.0.0.1:1" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.strip().splitlines()[-1].startswith("tidecast: ")


def test_predictions_do_not_wait_for_clickhouse(place: Place) -> None:
    deploy(place)
    place.env["TIDECAST_CLICKHOUSE_URL"] = "http://127.0.0.1:1"
    worker = place.start("scoring", "history")
    until(lambda: place.ready("scoring"))
    until(lambda: "ClickHouse" in place.told("history"))  # history has tried to connect
    assert worker.poll() is None
    assert place.ready("scoring")
    assert not place.ready("history")
    worker.terminate()
    assert exit_code(worker) == 0


def test_two_scoring_processes_share_the_partitions(place: Place) -> None:
    deploy(place)
    worker = place.start("scoring", "--processes", "2")
    until(lambda: place.ready("scoring", 0) and place.ready("scoring", 1))
    worker.terminate()
    assert exit_code(worker) == 0
