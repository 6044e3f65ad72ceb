"""A wall clock on the real servers: machines whose clock is wrong, and producers that fall silent."""

import json
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from load.chaos.events import wall_use_case
from load.chaos.guards import clock_ahead
from tests.integration.conftest import Stack
from tests.integration.runtime.test_worker import Place
from tests.waiting import PATIENCE_S, exit_code, until

pytestmark = pytest.mark.integration
HOURS_2 = 7200
ROWS = 60
_files = count()


class Live:
    """A system on a wall clock, in which horizons are seconds."""

    def __init__(self, place: Place, folder: Path) -> None:
        self.place = place
        self.use_case = str(wall_use_case(folder / "use_case"))
        self._folder = folder
        self.published = 0
        (folder / "map.toml").write_text('event = "Visit"\ncustomer = "who"\ntime = "at"\nid = "id"\n')
        self.run("deploy", self.use_case)

    def run(self, *words: str) -> str:
        done = self.place.run(*words, TIDECAST_USE_CASE=self.use_case)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def start(self, **environment: str) -> "subprocess.Popen[bytes]":
        """Start a scorer, and wait until it has partitions."""
        right = dict(self.place.env)
        self.place.env |= environment
        worker = self.place.start("scoring", "--single", "--use-case", self.use_case)
        self.place.env = right
        until(lambda: self.place.told("scoring"))
        return worker

    def publish(self) -> None:
        """Publish visits that happen now."""
        file = self._folder / f"{next(_files)}.csv"
        now = datetime.now(UTC).isoformat()
        rows = [f"{file.stem}-{row},c{row % 20},{now},home" for row in range(ROWS)]
        file.write_text("\n".join(["id,who,at,page", *rows]))
        self.run("publish", str(file), "--mapping", str(self._folder / "map.toml"))
        self.published += ROWS

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.run("status", "--json"))
        return found

    def read(self) -> dict[str, Any]:
        """Return the status when scoring has read all that was published."""
        return until(lambda: status if (status := self.status())["published"] == self.published else None)

    def verified(self, worker: "subprocess.Popen[bytes]") -> None:
        """End the worker and compare."""
        worker.terminate()
        assert exit_code(worker) == 0
        self.run("verify", "scoring")


@pytest.fixture
def live(stack: Stack, tmp_path: Path) -> Iterator[Live]:
    place = Place(stack, tmp_path)
    yield Live(place, tmp_path)
    for worker in place.started:
        if worker.poll() is None:
            worker.kill()
        worker.wait()


def now() -> str:
    return f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S}"


def test_a_machine_two_hours_ahead_says_so_and_makes_no_event_late(live: Live) -> None:
    worker = live.start(**clock_ahead(HOURS_2))
    until(lambda: "2 h 0 min ahead of Kafka's. Redis's clock agrees with Kafka's" in live.place.told("scoring"))
    for _ in range(2):
        live.publish()
        status = live.read()
    assert status["counters"]["late"] == status["counters"]["dead"] == 0
    assert all(tick <= now() for tick in status["ticks"].values())
    live.verified(worker)


def test_a_machine_two_hours_behind_says_so_and_loses_nothing(live: Live) -> None:
    worker = live.start(**clock_ahead(-HOURS_2))
    until(lambda: "2 h 0 min behind Kafka's" in live.place.told("scoring"))
    live.publish()
    assert live.read()["counters"]["late"] == 0
    live.verified(worker)


def test_a_topic_whose_timestamps_become_the_writers_is_red_until_it_is_mended(live: Live) -> None:
    live.start()
    until(lambda: live.place.ready("scoring"))
    timestamps(live, "CreateTime")
    until(lambda: "message.timestamp.type=CreateTime" in live.place.told("scoring"))
    timestamps(live, "LogAppendTime")
    until(lambda: live.place.ready("scoring"))


def timestamps(live: Live, kind: str) -> None:
    env = live.place.env
    settings = json.loads((Path(env["TIDECAST_DATA"]) / "stack.json").read_text())
    name = f"{env['TIDECAST_TOPIC_PREFIX']}customer-events"
    entry = ConfigEntry("message.timestamp.type", kind, incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, name, incremental_configs=[entry])
    admin = AdminClient({"bootstrap.servers": settings["kafka"]})
    for future in admin.incremental_alter_configs([resource]).values():
        future.result(PATIENCE_S)


def test_a_silent_stream_is_paused_and_goes_on_when_it_speaks(live: Live) -> None:
    worker = live.start()
    live.publish()
    paused = until(lambda: status if len((status := live.status())["paused"]) == len(status["ticks"]) else None)
    assert set(paused["paused"].values()) == {"worker"}
    assert "time stands still in 4 of 4 partitions" in live.run("status")
    live.publish()
    until(lambda: not live.status()["paused"])
    assert "events come again" in live.run(
        "tail", "customer-events", "--type", "Pause", "--from", "beginning", "--no-follow"
    )
    live.verified(worker)
