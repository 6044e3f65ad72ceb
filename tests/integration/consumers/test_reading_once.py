"""The example reader takes each prediction once. It is killed several times, and the log repeats some records."""

import contextlib
import shutil
import sqlite3
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from agents.kafka.schema_registry import HttpRegistry
from agents.settings import load_settings
from schemas.catalog import load_schemas
from schemas.examples import examples_of
from schemas.records import PREDICTION, PROGRESS
from streams.avro.codec import Codec
from tests.integration.conftest import Stack
from tests.waiting import PATIENCE_S, until

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[3]
FILES = (ROOT / "examples" / "consumer" / "read_once.py", ROOT / "schemas" / "marks.py")
"""The files that a consumer copies."""
EACH, KILLS = 400, 3
BATCH = 500
"""Messages that the reader takes at once or waits for. Each partition ends with this many progress records."""


def prediction(partition: int, offset: int) -> dict[str, Any]:
    source = {"topic": "customer-events", "epoch": 1, "partition": partition, "offset": offset, "ordinal": 0}
    some = examples_of(PREDICTION).valid[0]
    return {**some, "prediction_id": f"1.{partition}.{offset}.0", "source": source}


def encode(stack: Stack, records: list[tuple[str, dict[str, Any]]]) -> list[bytes]:
    """Encode the records as Tidecast does, with their schemas in the stack's registry."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TIDECAST_DATA", str(stack.folder))
        with HttpRegistry(load_settings()) as registry:
            for name in (PREDICTION, PROGRESS):
                registry.register(name, load_schemas()[name])
            codec = Codec(registry, load_schemas())
            return [codec.encode(name, record) for name, record in records]


def write_with_repeats(stack: Stack, topic: str) -> list[str]:
    """Write two partitions that go back 30 records after every 100. Return the sorted ids that a reader must take."""
    admin = AdminClient({"bootstrap.servers": stack.kafka})
    admin.create_topics([NewTopic(topic, 2, 1)])[topic].result(PATIENCE_S)
    producer = Producer({"bootstrap.servers": stack.kafka, "enable.idempotence": True})
    progress = (PROGRESS, examples_of(PROGRESS).valid[0])
    for partition in (0, 1):
        records = []
        for begin in range(0, EACH, 100):
            offsets = range(max(0, begin - 30), begin + 100)
            records += [(PREDICTION, prediction(partition, offset)) for offset in offsets]
            records.append(progress)
        for value in encode(stack, [*records, *[progress] * BATCH]):
            producer.produce(topic, value, partition=partition)
    assert producer.flush(PATIENCE_S) == 0
    return sorted(prediction(partition, offset)["prediction_id"] for partition in (0, 1) for offset in range(EACH))


def test_each_prediction_is_taken_once_whatever_is_killed(stack: Stack, tmp_path: Path) -> None:
    topic, file = f"once-{uuid.uuid4().hex[:8]}", tmp_path / "answers.db"
    for source in FILES:
        shutil.copy(source, tmp_path)
    expected = write_with_repeats(stack, topic)
    with contextlib.closing(sqlite3.connect(file)) as database:
        database.execute("PRAGMA journal_mode = WAL")

        def taken() -> int:
            with contextlib.suppress(sqlite3.OperationalError):  # the reader has not created its tables yet
                return int(database.execute("SELECT count(*) FROM answers").fetchone()[0])
            return 0

        for run in range(1, KILLS + 2):
            command = [sys.executable, "read_once.py", stack.kafka, stack.registry, topic, str(file)]
            with subprocess.Popen(command, cwd=tmp_path) as reader:
                goal = len(expected) * run // (KILLS + 1)
                until(lambda goal=goal, reader=reader: taken() >= goal or reader.poll() is not None)
                assert reader.poll() is None
                reader.kill()
        assert sorted(row[0] for row in database.execute("SELECT id FROM answers")) == expected
