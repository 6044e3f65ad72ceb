"""The topics, schemas and backlog of a run."""

import json
import urllib.parse
import urllib.request
from collections.abc import Iterator
from io import BytesIO
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient, NewTopic
from fastavro import parse_schema, schemaless_writer

from load.baselines.job import EVENT_SCHEMA
from load.baselines.run_settings import RunSettings
from load.reference.events import activities
from load.wire import HEADER, plain

BACKLOG_DAYS = 30.0
SEED = 1
"""The seed of the benchmark's backlog."""


def backlog(count: int) -> Iterator[dict[str, Any]]:
    """Return the events of a run, the same for every system."""
    return activities(count, BACKLOG_DAYS, SEED)


def encoded_events(count: int, schema_id: int) -> Iterator[tuple[bytes, bytes]]:
    """Yield key and registry-framed value of each event."""
    header, schema = HEADER.pack(0, schema_id), parse_schema(plain(EVENT_SCHEMA))
    for record in backlog(count):
        out = BytesIO()
        out.write(header)
        schemaless_writer(out, schema, record)
        yield record["customer_id"].encode(), out.getvalue()


def create_topics(settings: RunSettings) -> None:
    """Create the input and output topics."""
    topics = [NewTopic(name, settings.partitions, 1) for name in (settings.events_topic, settings.predictions_topic)]
    # the client must outlive its futures, so it has a name
    admin = AdminClient({"bootstrap.servers": settings.kafka, "log_level": 0})
    for future in admin.create_topics(topics).values():
        future.result(30)


def delete_topics(settings: RunSettings) -> None:
    """Delete all topics with the run's prefix, also those that Faust created."""
    admin = AdminClient({"bootstrap.servers": settings.kafka, "log_level": 0})
    names = [name for name in admin.list_topics(timeout=30).topics if name.startswith(settings.prefix)]
    for future in (admin.delete_topics(names) if names else {}).values():
        try:
            future.result(30)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                raise


def register(registry: str, topic: str, schema: dict[str, Any]) -> int:
    """Register a schema under the topic's subject (Confluent's default name); returns its id."""
    subject = urllib.parse.quote(f"{topic}-value", safe="")
    request = urllib.request.Request(
        f"{registry.rstrip('/')}/subjects/{subject}/versions",
        json.dumps({"schema": json.dumps(schema)}).encode(),
        {"Content-Type": "application/vnd.schemaregistry.v1+json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return int(json.load(answer)["id"])


def publish_backlog(settings: RunSettings, schema_id: int) -> None:
    """Publish all events at once; returns when the broker has acked them."""
    failed: list[KafkaError] = []

    def delivered(error: KafkaError | None, _message: object) -> None:
        if error is not None:
            failed.append(error)

    producer = Producer(
        {
            "bootstrap.servers": settings.kafka,
            "partitioner": "murmur2_random",
            "enable.idempotence": True,
            "log_level": 0,
        }
    )
    for key, value in encoded_events(settings.events, schema_id):
        while True:
            try:
                producer.produce(settings.events_topic, value, key, on_delivery=delivered)
                break
            except BufferError:
                producer.poll(0.1)
        producer.poll(0)
    producer.flush()
    if failed:
        raise KafkaException(failed[0])
