"""Forged, replayed, oversized and malicious records on real servers. The workers continue and execute none of them."""

import contextlib
import os
import pickle
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, Producer, TopicPartition

from agents.kafka.schema_registry import HttpRegistry
from agents.kafka.topics import current_deployment
from agents.settings import Settings, load_settings
from schemas.catalog import load_schemas
from schemas.marks import HighWater
from schemas.topics import CUSTOMER_EVENTS, DEAD_LETTERS, DEPLOYMENTS
from sinks.model_store import FsspecModelStore
from sinks.redis.client import connect
from sinks.redis.scoring_store import RedisScoringStore
from streams.avro.codec import Codec
from streams.control import sign
from streams.identity import Position
from streams.keys import Key, Keys
from streams.learning.stage import Learning
from streams.log import TopicPartition as Place
from streams.models.factory import build_model
from streams.models.snapshot import LIMIT, Snapshot, dump_snapshot, seal
from streams.models.version import Version
from streams.partitioner import partition_of
from streams.timeline import PartitionHeader
from streams.usecases import load_use_case
from tests.fuzz.targets.snapshot import Bomb
from tests.integration.conftest import Stack, retail_deployed, tidecast_command
from tests.waiting import PATIENCE_S, until

pytestmark = pytest.mark.integration
NOW = 1_767_225_600_000
PURCHASE = "retail.Purchase"
CUSTOMER = next(f"c{n}" for n in range(100) if partition_of(f"c{n}", 4) == 0)
"""A customer of partition 0. All tests here use that partition."""

ANOTHER = Keys.of(Key.of("1", b"another key"))


class System:
    """A deployed retail use case with its own topics and a scoring worker."""

    def __init__(self, stack: Stack, settings: Settings, folder: Path) -> None:
        self.settings = settings
        self.use_case = load_use_case("retail")
        deployment = current_deployment(settings)
        self.keys = settings.keys.of_log(deployment.epoch)
        assert deployment is not None
        self.deployment = deployment
        self.registry = HttpRegistry(settings)
        self.codec = Codec(self.registry, {**load_schemas(), **self.use_case.schemas})
        root = f"{settings.model_store}/{settings.topic_prefix}{deployment.epoch}"
        self.models = FsspecModelStore(root)
        self.model_folder = Path(root.removeprefix("file://"))
        self._stack = stack
        self._log = folder / "worker.log"
        self._store = RedisScoringStore(connect(**settings.redis()), deployment.epoch, settings.topic_prefix)
        config = {**settings.confluent(), "log_level": 0, "message.max.bytes": 500_000_000}
        self._producers = {
            codec: Producer({**config, "compression.type": codec})
            for codec in ("none", "gzip", "snappy", "lz4", "zstd")
        }

    def start(self) -> None:
        command = tidecast_command("worker", "scoring", "--single", "--use-case", "retail")
        with self._log.open("ab") as log:
            self.worker = subprocess.Popen(command, env=self._stack.env, stderr=log, stdin=subprocess.DEVNULL)

    def kill(self) -> None:
        if self.worker.poll() is None:
            self.worker.kill()
        self.worker.wait()

    def said(self) -> str:
        return self._log.read_text()

    def health(self) -> str:
        """Return the body of the worker's health check, healthy or not."""
        try:
            address = (self._stack.folder / "run" / "scoring.0.health").read_text().strip()
            with urllib.request.urlopen(f"{address}/healthz", timeout=PATIENCE_S) as answer:
                return str(answer.read().decode())
        except urllib.error.HTTPError as red:
            return red.read().decode()
        except (OSError, ValueError):
            return ""

    def header(self) -> PartitionHeader:
        found = self._store.positions([0])
        return PartitionHeader.unpack(found[0][1]) if found else PartitionHeader()

    def counted(self) -> dict[str, int]:
        counters = self.header().counters
        return {name: counters[name] for name in ("accepted", "dead", "controls")}

    def send(self, value: bytes, key: str | None = CUSTOMER, compression: str = "none", topic: str = CUSTOMER_EVENTS):
        producer = self._producers[compression]
        failed: list[Any] = []
        producer.produce(
            self.settings.topic(topic),
            value,
            None if key is None else key.encode(),
            0,
            on_delivery=lambda error, _: failed.append(error) if error else None,
        )
        assert producer.flush(PATIENCE_S) == 0 and not failed, failed

    def purchase(self, id: str, customer: str = CUSTOMER, codec: Codec | None = None, **more: Any) -> bytes:
        fields = {"event_id": id, "customer_id": customer, "occurred_at": NOW, "items": 1, "amount_cents": 100}
        return (codec or self.codec).encode(PURCHASE, {**fields, **more})

    def control(
        self, name: str, record: dict[str, Any], key: Keys | None = None, topic: str = CUSTOMER_EVENTS, partition=0
    ) -> bytes:
        """Return the signed value of a control record. The default key is the system's own."""
        return self.codec.encode(name, sign(name, record, key or self.keys, topic, partition))

    def letters(self) -> list[dict[str, Any]]:
        """Return the dead letters of partition 0."""
        reader = Consumer({**self.settings.confluent(), "group.id": "test", "enable.partition.eof": True})
        reader.assign([TopicPartition(self.settings.topic(DEAD_LETTERS), 0, OFFSET_BEGINNING)])
        found = []
        try:
            while (message := reader.poll(PATIENCE_S)) is not None and message.error() is None:
                found.append(self.codec.decode(message.value())[1])
        finally:
            reader.close()
        return found

    def close(self) -> None:
        self.kill()
        self.registry.close()


@pytest.fixture(scope="module")
def system(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with retail_deployed(stack, "hostile"):
        made = System(stack, load_settings(), tmp_path_factory.mktemp("hostile"))
        made.start()
        with contextlib.closing(made):
            yield made


def settled(system: System, **more: int) -> None:
    """Wait until each count has grown by the given number since the last call."""
    wanted = {name: count + more.get(name, 0) for name, count in system.before.items()}
    until(lambda: system.counted() == wanted or (system.worker.poll() is not None and pytest.fail(system.said())))
    system.before = wanted


@pytest.fixture(autouse=True)
def counting(system: System) -> None:
    until(lambda: system.counted()["controls"] > 0)  # the deployment has been read
    system.before = system.counted()


def tick(time: int) -> dict[str, Any]:
    return {"time": time, "writer": "test"}


def switch(system: System, offset: int, blob: bytes, **lies: Any) -> dict[str, Any]:
    version = Version("churn", "logistic", 1, offset)
    named = {"target": "churn", "arm": "logistic", "version": str(version), "snapshot": version.path}
    return {**named, "command": 0, "offset": offset, "digest": sha256(blob).digest(), **lies}


def test_forged_controls_are_dead_letters(system: System) -> None:
    other = {**system.deployment.to_record(), "deployment_id": "forged", "number": 1 << 60}
    for name, record in (
        ("tidecast.Tick", tick(NOW)),
        ("tidecast.Switch", switch(system, 5, b"")),
        ("tidecast.Deployment", other),
    ):
        system.send(system.codec.encode(name, {**record, "signature": None}), None)
        system.send(system.control(name, record, key=ANOTHER), None)
        system.send(system.control(name, record, partition=1), None)  # copied from its own partition
        system.send(system.control(name, record, topic="labelled-examples"), None)
        system.send(system.control(name, record), CUSTOMER)
    settled(system, dead=15)
    assert {letter["reason"] for letter in system.letters()} == {"bad_control"}
    assert system.header().last_tick is None
    system.send(system.control("tidecast.Tick", tick(1 << 60)), None)  # signed, but with absurd values
    system.send(system.control("tidecast.Switch", switch(system, 5, b"", snapshot="../../../etc/passwd")), None)
    settled(system, dead=2)


def test_replayed_controls_change_nothing(system: System) -> None:
    """A control record with a valid signature changes nothing when it comes a second time."""
    first, second = (system.control("tidecast.Tick", tick(NOW + n)) for n in (0, 1))
    for value in (first, second, first):
        system.send(value, None)
    settled(system, controls=3)
    assert system.header().last_tick == NOW + 1
    former = {**system.deployment.to_record(), "deployment_id": "former", "number": system.deployment.number - 1}
    system.send(system.control("tidecast.Deployment", former), None)
    system.send(system.control("tidecast.Deployment", {**former, "number": None}), None)
    system.send(system.purchase("after"))
    settled(system, controls=2, accepted=1)
    for value in (
        system.control("tidecast.Deployment", former, topic=DEPLOYMENTS),
        system.control("tidecast.Deployment", {**former, "number": 1 << 60}, key=ANOTHER, topic=DEPLOYMENTS),
        b"nonsense",
    ):
        system.send(value, "current", topic=DEPLOYMENTS)
    assert current_deployment(system.settings) == system.deployment


def test_what_is_too_large_is_a_dead_letter_or_never_gets_in(system: System) -> None:
    long = "x" * 900_000
    with pytest.raises(KafkaException, match="MSG_SIZE_TOO_LARGE"):
        Producer(system.settings.confluent()).produce("any", system.purchase("e", "x" * 1_000_000))
    system.send(system.purchase("large-1", "x" * 450_000), "x" * 450_000)
    system.send(system.purchase(long))
    outcome = {"outcome_id": "o", "customer_id": CUSTOMER, "target": "\1" * 900_000, "occurred_at": NOW, "value": 1.0}
    system.send(system.codec.encode("tidecast.Outcome", outcome))
    system.send(system.purchase("compressed", source="y" * 30_000_000), compression="gzip")
    system.send(b"\0" * 300_000_000, compression="zstd")
    settled(system, dead=5)
    found = {letter["source"]["offset"]: letter for letter in system.letters()}
    last = [found[offset] for offset in sorted(found)[-5:]]
    assert [letter["reason"] for letter in last] == [*["too_large"] * 2, "unknown_target", *["too_large"] * 2]
    assert [letter["value"] is None for letter in last] == [False, False, False, True, True]


def test_every_compression_is_read(system: System) -> None:
    for compression in ("gzip", "snappy", "lz4", "zstd"):
        system.send(system.purchase(f"by-{compression}"), compression=compression)
    settled(system, accepted=4)


def test_a_grown_schema_and_bytes_that_lie_about_it(system: System) -> None:
    ours = system.use_case.schemas[PURCHASE]
    more = {"name": "scores", "type": {"type": "array", "items": "double"}, "default": []}
    tags = {"name": "tags", "type": {"type": "map", "values": "string"}, "default": {}}
    grown = {**ours, "fields": [more, tags, *ours["fields"]]}
    with HttpRegistry(system.settings) as registry:
        registry.register(PURCHASE, grown)
        codec = Codec(registry, {PURCHASE: grown})
        many = {f"tag-{n}": "x" for n in range(60_000)}
        system.send(system.purchase("grown", codec=codec, scores=[1.0, 2.0], tags=many))
        good = system.purchase("lying", codec=codec, scores=[], tags={})
    count = bytes([0xFE, *[0xFF] * 8, 0x01])  # 2^63 - 1 numbers in ten bytes
    system.send(good[:5] + count + good[5:])
    settled(system, accepted=1, dead=1)


def version(system: System, offset: int) -> tuple[str, bytes]:
    """Put a sealed version of churn/logistic into the store. Return its path and bytes."""
    target = system.use_case.targets[0]
    names = tuple(feature.name for feature in system.use_case.features)
    model = build_model(target.arms[0], target.name, target.kind, names, 1)
    learner = learning(system)
    named = Version("churn", "logistic", 1, offset)
    inputs = learner._inputs
    snapshot = Snapshot(
        named, model, HighWater(), Position(offset + 1), 1, declared=inputs.declared, inputs=inputs.digest
    )
    blob = dump_snapshot(snapshot, system.keys)
    system.models.put(named.path, blob)
    return named.path, blob


def learning(system: System) -> Learning:
    target, key = system.use_case.targets[0], system.keys
    return Learning(system.use_case, target, target.arms[0], system.deployment, system.models, system.codec, key)


def bomb(mark: Path, key: Keys) -> bytes:
    """Return a sealed snapshot that creates the file `mark` when it is unpickled."""
    return seal(pickle.dumps(Bomb(mark)), key)


def test_a_scorer_waits_for_the_version_it_was_told_and_unpickles_no_other(system: System, tmp_path: Path) -> None:
    path, blob = version(system, 7)
    system.send(system.control("tidecast.Switch", switch(system, 7, blob)), None)
    settled(system, controls=1)
    system.kill()
    system.models.put(path, bomb(tmp_path / "mark", system.keys))
    system.start()
    system.send(system.purchase("waits"))
    until(lambda: "is not the one that the switch names" in system.health())
    assert not (tmp_path / "mark").exists()
    (system.model_folder / path).unlink()
    (system.model_folder / path).symlink_to("/dev/zero")
    until(lambda: "is a link" in system.health())
    assert system.counted() == system.before
    system.models.put(path, blob)
    settled(system, accepted=1)


def test_a_former_switch_is_ignored(system: System) -> None:
    _, older = version(system, 3)
    system.send(system.control("tidecast.Switch", switch(system, 3, older)), None)
    settled(system, controls=1)
    assert system.header().serving["churn/logistic"].offset == 7


def test_a_learner_passes_over_what_it_did_not_seal(system: System, tmp_path: Path, caplog: Any) -> None:
    path, _ = version(system, 9)
    folder = (system.model_folder / path).parent
    wrong = {
        "10": bomb(tmp_path / "mark", Keys.of(Key.of("", b"another key"))),
        "11": b"junk",
        "12": b"",
        "13": (system.model_folder / path).read_bytes()[:-1],
        "14": (system.model_folder / path).read_bytes(),  # a valid snapshot under the name of a later one
    }
    for offset, data in wrong.items():
        (folder / f"{int(offset):020d}.snapshot").write_bytes(data)
    (folder / f"{15:020d}.snapshot").write_bytes(b"x")
    os.truncate(folder / f"{15:020d}.snapshot", LIMIT + 1)
    (folder / f"{16:020d}.snapshot").symlink_to("/dev/zero")
    os.mkfifo(folder / f"{17:020d}.snapshot")
    learner = learning(system)
    place = Place("labelled-examples", system.deployment.target_partitions["churn"])
    assert learner.assign([place])[place] == 9
    assert sum("cannot be read; the one before it is used" in record.message for record in caplog.records) == 8
    assert not (tmp_path / "mark").exists()
