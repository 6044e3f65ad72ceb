"""Publishing a backlog as fast as it goes."""

from collections.abc import Iterable

from confluent_kafka import Producer

from load.bench.job import EncodedRecord


def producer(kafka: str) -> Producer:
    """As customers' events are published, lingering as long as librdkafka does by default (5 ms). No delivery reports:
    they would cost a call of Python each, and every loss shows in the predictions that are missing."""
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
    """Sends what was made."""

    def __init__(self, kafka: str, topic: str) -> None:
        self._topic = topic
        self._producer = producer(kafka)

    def all(self, made: Iterable[EncodedRecord]) -> None:
        """As fast as it goes."""
        for one in made:
            self._send(one)
        self._producer.flush()

    def _send(self, one: EncodedRecord) -> None:
        while True:
            try:
                if one.partition is None:
                    self._producer.produce(self._topic, one.value, one.key)
                else:
                    self._producer.produce(self._topic, one.value, partition=one.partition)
                return
            except BufferError:
                self._producer.poll(0.1)
