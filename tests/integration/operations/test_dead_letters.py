"""Dead letters and late events from end to end: storing, listing, sending again, limits, and a registry outage."""

import contextlib
import json
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from click.testing import CliRunner
from confluent_kafka import Consumer, Producer, TopicPartition

from agents.cli import tidecast as group
from agents.dead_letters.requeue import HEADER
from agents.importing.publisher import EventPublisher
from agents.kafka.schema_registry import HttpRegistry
from agents.kafka.topics import required_deployment
from agents.settings import Settings, load_settings
from agents.stack.place import read_place
from agents.stack.supervise import up
from schemas.catalog import load_schemas
from sinks.redis.client import connect
from sinks.redis.scoring_store import RedisScoringStore
from streams.avro.codec import Codec
from streams.partitioner import partition_of
from streams.timeline import PartitionHeader
from streams.usecases import load_use_case
from tests.integration.conftest import Stack, retail_deployed, tidecast_command
from tests.waiting import PATIENCE_S, exit_code, until

pytestmark = pytest.mark.integration
RUN = 40
DAY = 86_400_000
NOW = 1_767_225_600_000
PURCHASE = "retail.Purchase"


class System:
    """A deployed retail use case with its own topics and a scoring worker."""

    def __init__(self, stack: Stack, settings: Settings, folder: Path) -> None:
        self.settings = settings
        self.use_case = load_use_case("retail")
        self.deployment = required_deployment(settings)
        self.registry = HttpRegistry(settings)
        self.codec = Codec(self.registry, {**load_schemas(), **self.use_case.schemas})
        self.worker: subprocess.Popen[bytes] | None = None
        self._stack = stack
        self._log = folder / "worker.log"
        self._store = RedisScoringStore(connect(**settings.redis()), self.deployment.epoch, settings.topic_prefix)
        self._producer = Producer({**settings.confluent(), "log_level": 0})

    def start(self) -> None:
        command = tidecast_command("worker", "scoring", "--single", "--use-case", "retail")
        env = {**self._stack.env, "TIDECAST_DEAD_LETTER_RUN": str(RUN)}
        with self._log.open("ab") as log:
            self.worker = subprocess.Popen(command, env=env, stderr=log, stdin=subprocess.DEVNULL)

    def said(self) -> str:
        return self._log.read_text()

    def asked(self, path: str) -> tuple[int, str]:
        """Return status and body of the worker's health server."""
        try:
            address = (self._stack.folder / "run" / "scoring.0.health").read_text().strip()
            with urllib.request.urlopen(f"{address}/{path}", timeout=PATIENCE_S) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as red:
            return red.code, red.read().decode()
        except (OSError, ValueError):
            return 0, ""

    def counters(self) -> dict[str, int]:
        """Return scoring's accounting, summed over all partitions."""
        found = self._store.positions(range(self.deployment.partitions)).values()
        headers = [PartitionHeader.unpack(packed).counters for _, packed in found]
        return {name: sum(header[name] for header in headers) for name in PartitionHeader().counters}

    def purchase(self, id: str, customer: str, at: int = NOW, codec: Codec | None = None, **more: Any) -> bytes:
        fields = {"event_id": id, "customer_id": customer, "occurred_at": at, "items": 1, "amount_cents": 100}
        return (codec or self.codec).encode(PURCHASE, {**fields, **more})

    def send(self, value: bytes, key: str, partition: int | None = None) -> None:
        """Send bytes unchanged to the key's partition or to the given one."""
        place = partition_of(key, self.deployment.partitions) if partition is None else partition
        self._producer.produce(self.settings.topic("customer-events"), value, key.encode(), place)
        assert self._producer.flush(PATIENCE_S) == 0

    def last(self, customer: str) -> Any:
        """Return the last record in the customer's partition of customer-events."""
        place = TopicPartition(
            self.settings.topic("customer-events"), partition_of(customer, self.deployment.partitions)
        )
        reader = Consumer({**self.settings.confluent(), "group.id": "test"})
        try:
            place.offset = reader.get_watermark_offsets(place)[1] - 1
            reader.assign([place])
            return reader.poll(PATIENCE_S)
        finally:
            reader.close()

    def close(self) -> None:
        if self.worker is not None and self.worker.poll() is None:
            self.worker.kill()
            self.worker.wait()
        self.registry.close()


@pytest.fixture(scope="module")
def system(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with retail_deployed(stack, "aside"):
        made = System(stack, load_settings(), tmp_path_factory.mktemp("aside"))
        made.start()
        with contextlib.closing(made):
            yield made


def tidecast(*words: str) -> str:
    """Run a command and return its output."""
    done = CliRunner().invoke(group, words, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def waited(system: System, **counts: int) -> None:
    until(lambda: {name: system.counters()[name] for name in counts} == counts)


def test_set_aside_looked_at_and_sent_again(system: System) -> None:
    wrong = (partition_of("c1", system.deployment.partitions) + 1) % system.deployment.partitions
    with EventPublisher(system.settings, system.use_case) as publisher:
        publisher.tick(NOW)
    system.send(system.purchase("e0", "c0"), "c0")
    system.send(system.purchase("e1", "c1"), "c1", wrong)
    system.send(b"junk", "c2")
    system.send(b"\0\x7f\xff\xff\xffjunk", "c3")
    system.send(system.purchase("e4", "c4", NOW - 90 * DAY), "c4")
    system.send(system.purchase("e8", "c1", NOW - 90 * DAY), "c1", wrong)
    waited(system, accepted=1, dead=4, late=1)
    metrics = system.asked("metrics")[1]
    assert 'tidecast_dead_letters_total{reason="wrong_key",stage="scoring"} 2.0' in metrics
    assert 'tidecast_dead_letters_total{reason="failed",stage="scoring"} 0.0' in metrics
    assert 'tidecast_late_events_total{stage="scoring"} 1.0' in metrics
    assert 'tidecast_questions_total{target="churn"} 1.0' in metrics
    assert 'tidecast_fallback_answers_total{arm="logistic",reason="untrained",target="churn"} 1.0' in metrics

    listed = json.loads(tidecast("dead-letters", "list", "--since", "1h", "--json"))
    assert listed["counts"] == {"wrong_key": 2, "undecodable": 1, "unknown_schema": 1}
    newest = [letter["id"] for letter in listed["letters"] if letter["reason"] == "wrong_key"]
    told = tidecast("dead-letters", "show", newest[1])
    assert f"[{wrong}] offset" in told and PURCHASE in told and "murmur2" in told
    late = json.loads(tidecast("late-events", "list", "--customer", "c4", "--json"))
    assert late["counts"] == {"Purchase": 1} and late["events"][0]["event_id"] == "e4"

    told = tidecast("dead-letters", "requeue", "--yes")
    assert "2 sent, 2 left out" in told
    assert all(fate in told for fate in ("would be accepted", "would be a late event", "would be a dead letter again"))
    waited(system, accepted=2, dead=4, late=2)
    assert (HEADER, newest[0].encode()) in system.last("c1").headers()
    tidecast("dead-letters", "requeue", newest[1], "--yes")
    waited(system, accepted=2, dead=4, duplicate=1)


def test_too_many_in_a_row_stop_the_worker_which_goes_on_behind_them(system: System) -> None:
    assert system.worker is not None
    system.send(system.purchase("e2", "c2"), "c2")
    waited(system, accepted=3)
    before = system.counters()
    for number in range(RUN):
        system.send(b"garbage %d" % number, "c2")
    assert exit_code(system.worker) == 1
    said = system.said().splitlines()[-1]
    for word in (f"{RUN} records in a row", "undecodable", "tidecast dead-letters list", "TIDECAST_DEAD_LETTER_RUN"):
        assert word in said
    waited(system, dead=before["dead"] + RUN)
    system.start()
    system.send(b"garbage", "c2")
    system.send(system.purchase("e5", "c2"), "c2")
    waited(system, dead=before["dead"] + RUN + 1, accepted=before["accepted"] + 1)
    assert system.worker.poll() is None


def test_a_new_schema_while_the_registry_is_away_is_a_wait(system: System, stack: Stack) -> None:
    before = system.counters()
    schema = json.loads(json.dumps(system.use_case.schemas[PURCHASE]))
    schema["fields"].append({"name": "coupon", "type": ["null", "string"], "default": None})
    system.registry.register(PURCHASE, schema)
    newer = Codec(system.registry, {PURCHASE: schema})
    value = system.purchase("e6", "c6", codec=newer, coupon="SPRING")
    assert value[:5] != system.purchase("e7", "c6")[:5]
    registry = psutil.Process(read_place(stack.folder).processes["registry"].pid)
    registry.kill()
    registry.wait(PATIENCE_S)
    try:
        system.send(value, "c6")
        until(lambda: system.asked("healthz")[0] == 503 and "schema registry" in system.asked("healthz")[1])
    finally:
        up(stack.folder, print)
    waited(system, accepted=before["accepted"] + 1, dead=before["dead"])
    until(lambda: system.asked("healthz")[0] == 200)
