"""`tidecast log`: pause, resume and skip, next to a running scorer."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agents.kafka.log_reader import LogReader
from agents.kafka.schema_registry import HttpRegistry
from agents.kafka.topics import required_deployment, write
from agents.operations.log_commands import keys_of
from agents.settings import Settings, load_settings
from schemas.catalog import load_schemas
from schemas.records import SWITCH, TICK
from schemas.topics import CUSTOMER_EVENTS
from streams.avro.codec import Codec
from streams.control import sign
from streams.log import Output, TopicPartition
from tests.integration.conftest import Stack
from tests.integration.runtime.test_worker import Place
from tests.waiting import exit_code, until

pytestmark = pytest.mark.integration
LOST = f"churn/logistic/1/{49:020d}.snapshot"


@pytest.fixture
def place(stack: Stack, tmp_path: Path) -> Iterator[Place]:
    """Deploy the starter, whose publisher writes the ticks."""
    made = Place(stack, tmp_path)
    with pytest.MonkeyPatch.context() as patch:
        for name in ("TIDECAST_DATA", "TIDECAST_TOPIC_PREFIX"):
            patch.setenv(name, made.env[name])
        assert made.run("init", "mine").returncode == 0
        assert made.run("deploy", "./mine").returncode == 0
        yield made
    for worker in made.started:
        if worker.poll() is None:
            worker.kill()
        worker.wait()


def control(settings: Settings, name: str, record: dict[str, Any], *partitions: int) -> None:
    keys = keys_of(settings, required_deployment(settings))
    with HttpRegistry(settings) as registry:
        codec = Codec(registry, load_schemas())
        signed: list[Any] = [sign(name, record, keys, CUSTOMER_EVENTS, p) for p in partitions]  # type: ignore[type-var]
        values = [codec.encode(name, one) for one in signed]
    write(settings, [Output(CUSTOMER_EVENTS, p, None, value) for p, value in zip(partitions, values, strict=True)])


def tick(settings: Settings, time: int) -> None:
    control(settings, TICK, {"time": time, "writer": "test", "signature": None, "gap": None}, 0, 1, 2, 3)


def done(place: Place, *words: str) -> str:
    ran = place.run(*words)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def status(place: Place) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(done(place, "status", "--json"))
    return found


def read(place: Place) -> dict[str, Any]:
    """Return the status when scoring has read its log to the end."""

    def idle() -> dict[str, Any] | None:
        found = status(place)
        lags = [each["lag"] for each in found["places"] if each["stage"] == "scoring"]
        return None if any(lags) else found

    return until(idle)


def test_a_pause_by_hand_lasts_until_it_is_ended_by_hand(place: Place) -> None:
    settings = load_settings()
    worker = place.start("scoring", "--single")
    tick(settings, 1_000)
    assert "stands still in 4 partitions" in done(place, "log", "pause", "--reason", "maintenance")
    tick(settings, 2_000)
    paused = read(place)
    assert set(paused["paused"].values()) == {"person"}
    assert set(paused["ticks"].values()) == {"1970-01-01 00:00:01"}
    assert "`tidecast log resume`" in done(place, "status")
    assert "goes on in 4 partitions" in done(place, "log", "resume")
    tick(settings, 3_000)
    resumed = read(place)
    assert resumed["paused"] == {} and set(resumed["ticks"].values()) == {"1970-01-01 00:00:03"}
    worker.terminate()
    assert exit_code(worker) == 0
    done(place, "verify", "scoring")


def test_one_control_record_is_passed_over_and_only_the_one_at_which_scoring_stands(place: Place) -> None:
    settings = load_settings()
    switch = {"target": "churn", "arm": "logistic", "version": "churn/logistic.1@49", "command": 0, "offset": 49}
    tick(settings, 1_000)
    control(settings, SWITCH, {**switch, "snapshot": LOST, "digest": b"d" * 32, "signature": None}, 2)
    tick(settings, 2_000)
    with LogReader(settings) as reader:
        _, end = reader.bounds(TopicPartition(CUSTOMER_EVENTS, 2))
    offset = str(end - 2)
    worker = place.start("scoring", "--single")
    until(lambda: LOST in place.told("scoring"))
    running = place.run("log", "skip", "2", offset)
    assert running.returncode == 1 and "run `tidecast log skip` again" in running.stderr
    worker.terminate()
    assert exit_code(worker) == 0
    for partition, wrong, why in [
        ("2", "0", "stands at offset"),
        ("7", offset, "no partition 7"),
        ("1", "3", "nothing"),
    ]:
        refused = place.run("log", "skip", partition, wrong)
        assert refused.returncode == 1 and why in refused.stderr, refused.stderr
    said = done(place, "log", "skip", "2", offset, "--reason", "its snapshot is lost")
    assert "churn/logistic is answered by churn/logistic.1@49" in said
    worker = place.start("scoring", "--single")  # as the command says
    found = read(place)
    assert set(found["ticks"].values()) == {"1970-01-01 00:00:02"} and found["counters"]["dead"] == 1
    assert "tidecast log skip" in done(place, "dead-letters", "list")
    worker.terminate()
    assert exit_code(worker) == 0
    done(place, "verify", "scoring")
