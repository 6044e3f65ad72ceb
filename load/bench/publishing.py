"""Publishes a backlog as fast as Kafka takes it."""

from collections.abc import Iterable

from confluent_kafka import Producer

from load.bench.job import EncodedRecord


def producer(kafka: str) -> Producer:
    """Return a producer as customers would use it; it lingers for librdkafka's default of 5 ms.

    It has no delivery reports, which cost a Python call each. A lost event shows as a missing prediction."""
    return Producer(
        {
            "bootstrap.servers": kafka,
            "partitioner": "murmur2_random",
            "enable.idempotence": True,
            "queue.buffering.max.messages": 1_000_000,
            "log_level": 0,
        }
    )


class BacklogPublisher:
    """Publishes encoded records to one topic."""

    def __init__(self, kafka: str, topic: str) -> None:
        self._topic = topic
        self._producer = producer(kafka)

    def all(self, records: Iterable[EncodedRecord]) -> None:
        """Publish as fast as possible; returns when Kafka has acked all."""
        for record in records:
            self._send(record)
        self._producer.flush()

    def _send(self, record: EncodedRecord) -> None:
        while True:
            try:
                if record.partition is None:
                    self._producer.produce(self._topic, record.value, record.key)
                else:
                    self._producer.produce(self._topic, record.value, partition=record.partition)
                return
            except BufferError:
                self._producer.poll(0.1)
