"""Definitions change on a log with events: every stage goes on from where it was, whatever became of its workers."""

import json
import os
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from confluent_kafka.admin import AdminClient

from agents.cli.define.init import write_starter
from agents.kafka.topics import Logs
from agents.settings import load_settings
from schemas.topics import LABELLED_EXAMPLES
from tests.integration.conftest import Stack, tidecast_command
from tests.waiting import PATIENCE_S, exit_code, until

pytestmark = pytest.mark.integration


class Shop:
    """The starter's use case on the real servers, published in two parts."""

    def __init__(self, stack: Stack, folder: Path) -> None:
        self.folder = folder / "shop"
        write_starter(self.folder)
        self._halve()
        prefix = f"changed-{os.getpid()}-{uuid.uuid4().hex[:6]}-"
        self.data = folder / "data"
        self.env = {
            **stack.env,
            "TIDECAST_TOPIC_PREFIX": prefix,
            "TIDECAST_CLICKHOUSE_DATABASE": prefix.replace("-", "_"),
        }
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("TIDECAST_DATA", str(stack.folder))
            self.settings = load_settings(topic_prefix=prefix)
        self.log = folder / "worker.log"
        self.workers: list[subprocess.Popen[bytes]] = []

    def _halve(self) -> None:
        head, *rows = (self.folder / "sample.csv").read_text().splitlines()
        for name, part in (("early", rows[: len(rows) // 2]), ("late", rows[len(rows) // 2 :])):
            (self.folder / f"{name}.csv").write_text("\n".join([head, *part]))

    def run(self, *words: str) -> str:
        done = subprocess.run(
            tidecast_command(*words),
            env=self.env,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=PATIENCE_S,
            check=False,
        )
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout

    def publish(self, name: str) -> None:
        mapping = str(self.folder / "sample.toml")
        self.run("publish", str(self.folder / f"{name}.csv"), "--mapping", mapping, "--speed", "86400000x")

    def start(self, *stages: str) -> "subprocess.Popen[bytes]":
        with self.log.open("ab") as log:
            command = tidecast_command("worker", *stages)
            worker = subprocess.Popen(command, env=self.env, stderr=log, stdin=subprocess.DEVNULL)
        self.workers.append(worker)
        return worker

    def underway(self) -> bool:
        """Return whether scoring and all learners work: each learner has saved a version."""
        return all(self.learnt().values())

    def kill(self, worker: "subprocess.Popen[bytes]") -> None:
        """Kill a worker and its processes at once."""
        processes = [psutil.Process(worker.pid), *psutil.Process(worker.pid).children(recursive=True)]
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        worker.wait()
        psutil.wait_procs(processes, PATIENCE_S)

    def change(self) -> None:
        """Change a setting that loses nothing, and deploy it."""
        file = self.folder / "usecase.py"
        text = file.read_text()
        assert 'allowed_lateness="1h"' in text or 'allowed_lateness="2h"' in text
        one, other = ("1h", "2h") if 'allowed_lateness="1h"' in text else ("2h", "1h")
        file.write_text(text.replace(f'allowed_lateness="{one}"', f'allowed_lateness="{other}"'))
        assert "is in force as deployment" in self.run("deploy", str(self.folder))

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.run("status", "--json"))
        return found

    def lag(self, *stages: str) -> int:
        return sum(place["lag"] for place in self.status()["places"] if place["stage"] in stages)

    def worked_off(self) -> bool:
        return all(worker.poll() is None for worker in self.workers[-1:]) and not self.lag(
            "scoring", "judging", "monitoring"
        )

    def ends(self) -> list[int]:
        return [end for _, end in Logs(self.settings).ends(LABELLED_EXAMPLES, 2)]

    def learnt(self) -> dict[str, int]:
        """Return the position of every learner: behind its last snapshot."""
        return {
            place["stage"]: place["next_offset"]
            for place in self.status()["places"]
            if place["stage"].startswith("learning")
        }

    def close(self) -> None:
        for worker in self.workers:
            if worker.poll() is None:
                worker.kill()
            worker.wait()
        admin = AdminClient(self.settings.confluent())
        names = [self.settings.topic(name) for name in Logs(self.settings).partitions()]
        for future in admin.delete_topics(names).values():
            future.result(PATIENCE_S)


@pytest.fixture
def shop(stack: Stack, tmp_path: Path) -> Iterator[Shop]:
    shop = Shop(stack, tmp_path)
    yield shop
    shop.close()


def go_on(shop: Shop) -> None:
    """Start workers of the new definitions, publish the rest, and see every learner learn beyond the change."""
    changed_at = shop.ends()
    worker = shop.start()
    shop.publish("late")
    until(shop.worked_off)
    until(lambda: all(reached > changed_at[0 if "churn" in arm else 1] for arm, reached in shop.learnt().items()))
    assert worker.poll() is None, shop.log.read_text()
    assert shop.status()["findings"] == []
    told = shop.status()["counters"]
    assert told["dead"] == told["late"] == 0
    worker.terminate()
    assert exit_code(worker) == 0


@pytest.mark.full  # two minutes each
def test_workers_run_while_the_definitions_change(shop: Shop) -> None:
    shop.run("deploy", str(shop.folder))
    worker = shop.start()
    shop.publish("early")
    until(shop.underway)
    shop.change()
    assert exit_code(worker) == 1
    said = shop.log.read_text()
    assert "start a worker with the definitions of" in said
    go_on(shop)


def test_workers_are_killed_before_the_definitions_change(shop: Shop) -> None:
    shop.run("deploy", str(shop.folder))
    worker = shop.start()
    shop.publish("early")
    until(shop.underway)
    shop.kill(worker)  # events, examples and predictions may be left, and learners have not saved the last ones
    shop.change()
    go_on(shop)


@pytest.mark.full  # two minutes each
def test_definitions_change_back_before_any_worker_saw_them(shop: Shop) -> None:
    shop.run("deploy", str(shop.folder))
    worker = shop.start()
    shop.publish("early")
    until(shop.underway)
    worker.terminate()
    exit_code(worker)
    shop.change()
    shop.change()
    go_on(shop)
