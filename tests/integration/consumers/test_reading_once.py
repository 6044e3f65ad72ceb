"""The README's reader, killed again and again while it reads a log that was written twice in places."""

import contextlib
import json
import sqlite3
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from tests.integration.conftest import Stack

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[3]
EACH, KILLS = 400, 3
BATCH = 500
"""Messages that the reader takes at once, or waits for: so many that tell it nothing lie behind the last prediction."""
BEFORE = """
import json, sqlite3, sys
from confluent_kafka import Consumer

servers, topic, file = sys.argv[1:]
database = sqlite3.connect(file, isolation_level=None)
consumer = Consumer({
    "bootstrap.servers": servers, "group.id": topic, "enable.auto.commit": False, "auto.offset.reset": "earliest",
    "group.instance.id": "reader",  # the next one takes over at once, without waiting for the killed one's session
})
consumer.subscribe([topic])

def decode(value):
    record = json.loads(value)
    return ("tidecast.Prediction" if "value" in record else "tidecast.Progress"), record
"""


def readme_reader() -> str:
    text = (ROOT / "README.md").read_text().partition("### Reading predictions exactly once")[2]
    return BEFORE + text.partition("```python\n")[2].partition("```")[0]


def prediction(partition: int, offset: int) -> dict[str, object]:
    source = {"topic": "customer-events", "epoch": 1, "partition": partition, "offset": offset, "ordinal": 0}
    return {"prediction_id": f"1.{partition}.{offset}.0", "value": 0.5, "source": source}


def write_with_repeats(stack: Stack, topic: str) -> list[str]:
    """Two partitions whose writer went back 30 records after every 100; the ids a reader must have, sorted."""
    admin = AdminClient({"bootstrap.servers": stack.kafka})
    admin.create_topics([NewTopic(topic, 2, 1)])[topic].result(20)
    producer = Producer({"bootstrap.servers": stack.kafka, "enable.idempotence": True})
    for partition in (0, 1):
        for begin in range(0, EACH, 100):
            for offset in range(max(0, begin - 30), begin + 100):
                producer.produce(topic, json.dumps(prediction(partition, offset)), partition=partition)
            producer.produce(topic, json.dumps({"watermark": begin}), partition=partition)
        for _ in range(BATCH):
            producer.produce(topic, json.dumps({"watermark": EACH}), partition=partition)
    assert producer.flush(20) == 0
    return sorted(str(prediction(partition, offset)["prediction_id"]) for partition in (0, 1) for offset in range(EACH))


def test_each_prediction_is_taken_once_whatever_is_killed(stack: Stack, tmp_path: Path) -> None:
    topic, file = f"once-{uuid.uuid4().hex[:8]}", tmp_path / "answers.db"
    expected = write_with_repeats(stack, topic)
    with contextlib.closing(sqlite3.connect(file)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("CREATE TABLE answers (id TEXT, value REAL)")
        database.execute("CREATE TABLE marks (place TEXT PRIMARY KEY, marks TEXT)")
        database.commit()

        def taken() -> int:
            return int(database.execute("SELECT count(*) FROM answers").fetchone()[0])

        for run in range(1, KILLS + 2):
            command = [sys.executable, "-c", readme_reader(), stack.kafka, topic, str(file)]
            with subprocess.Popen(command, cwd=ROOT) as reader:
                until = time.monotonic() + 60
                while taken() < len(expected) * run // (KILLS + 1):
                    assert reader.poll() is None and time.monotonic() < until
                    time.sleep(0.002)
                reader.kill()
        assert sorted(row[0] for row in database.execute("SELECT id FROM answers")) == expected
