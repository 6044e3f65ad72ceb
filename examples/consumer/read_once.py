"""Reads predictions into a database, each exactly once, however often this program is killed.

    python read_once.py KAFKA REGISTRY TOPIC DATABASE
    python read_once.py localhost:9092 http://localhost:8080/apis/ccompat/v7 predictions answers.db

It needs confluent-kafka, fastavro, and a copy of schemas/marks.py beside it. Tidecast itself is not needed."""

import json
import sqlite3
import sys
from collections.abc import Iterable
from functools import cache
from io import BytesIO
from itertools import groupby
from urllib.request import urlopen

from confluent_kafka import Consumer, KafkaException, Message
from fastavro import parse_schema, schemaless_reader
from marks import Marks

TABLES = """
CREATE TABLE IF NOT EXISTS answers (id TEXT, target TEXT, customer TEXT, value REAL);
CREATE TABLE IF NOT EXISTS marks (place TEXT PRIMARY KEY, marks TEXT);
"""


@cache
def schema(registry: str, number: int) -> dict:
    """The schema that the registry knows by this number. It never changes."""
    with urlopen(f"{registry}/schemas/ids/{number}") as answer:
        return parse_schema(json.loads(json.load(answer)["schema"]))


def decode(registry: str, value: bytes) -> tuple[str, dict]:
    """The full name of a record's type, and the record: a zero, the schema's number in four bytes, the Avro body."""
    found = schema(registry, int.from_bytes(value[1:5]))
    return found["name"], schemaless_reader(BytesIO(value[5:]), found, None)


def place(message: Message) -> str:
    """Where a message was read. Each place has marks of its own."""
    return f"{message.topic()}/{message.partition()}"


def take(database: sqlite3.Connection, registry: str, at: str, messages: Iterable[Message]) -> None:
    """Write what the messages of one place tell, and its marks, in one transaction."""
    with database:
        database.execute("BEGIN IMMEDIATE")  # other databases: SELECT … FOR UPDATE
        kept = database.execute("SELECT marks FROM marks WHERE place = ?", [at]).fetchone()
        marks = Marks.from_json(kept[0] if kept else "[]")
        for message in messages:
            name, record = decode(registry, message.value())
            if name == "tidecast.Prediction" and marks.advance(record):
                row = [record[field] for field in ("prediction_id", "target", "customer_id", "value")]
                database.execute("INSERT INTO answers VALUES (?, ?, ?, ?)", row)
        database.execute("REPLACE INTO marks VALUES (?, ?)", [at, marks.to_json()])


def main(kafka: str, registry: str, topic: str, file: str) -> None:
    """Read until the process is ended."""
    database = sqlite3.connect(file, isolation_level=None)
    database.executescript(TABLES)
    consumer = Consumer(
        {
            "bootstrap.servers": kafka,
            "group.id": "read-once",
            "group.instance.id": "reader-1",  # a restarted reader takes over at once
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    consumer.subscribe([topic])
    while True:
        messages = consumer.consume(500, timeout=1.0)
        for message in messages:
            if message.error():
                raise KafkaException(message.error())
        for at, some in groupby(sorted(messages, key=place), key=place):  # sorting keeps a partition's order
            take(database, registry, at, some)
        if messages:
            consumer.commit(asynchronous=False)  # only a hint of where to begin: the marks decide


if __name__ == "__main__":
    main(*sys.argv[1:])
