"""Producing outputs: in order per partition, acked by all replicas, to explicit partitions."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from sinks.failpoints import PRODUCE_PARTLY, PRODUCED, hit, partly
from streams.errors import TidecastError, Unavailable
from streams.log import Output, TopicPartition

TIMEOUT_MS = 30_000
"""How long the client itself tries to deliver a record before that counts as Kafka being away."""
TOO_LARGE = (KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_RECORD)


class KafkaEmitter:
    """streams.log.Emitter on an idempotent producer. Used by one thread at a time."""

    def __init__(self, config: Mapping[str, Any], topic: Callable[[str], str]) -> None:
        """`config`: connection settings of librdkafka; `topic`: a topic's name on the broker."""
        self._config = {
            **config,
            "enable.idempotence": True,
            "acks": "all",
            "linger.ms": 0,
            "delivery.timeout.ms": TIMEOUT_MS,
            "queue.buffering.max.messages": 1_000_000,
            "queue.buffering.max.kbytes": 1_048_576,
            "message.max.bytes": 4 * 1024 * 1024,
            "delivery.report.only.error": True,
            "log_level": 2,
        }
        self._topic = topic
        self._names: dict[str, str] = {}
        self._failed: list[KafkaError] = []
        self._producer: Producer | None = None

    def assign(self, partitions: Sequence[TopicPartition]) -> None:
        """streams.log.Emitter.assign: all the same to it."""

    def emit(self, outputs: Sequence[Output]) -> None:
        """Produce and wait for every ack. After Unavailable the same outputs must be emitted again from the
        first one on: readers drop those that were written."""
        if outputs:
            self._emit(partly(PRODUCE_PARTLY, outputs, self._emit))

    def _emit(self, outputs: Sequence[Output]) -> None:
        producer = self._producer or self._connect()
        names = self._names
        try:
            for topic, partition, key, value, _ in outputs:
                name = names.get(topic)
                if name is None:
                    name = names[topic] = self._topic(topic)
                self._produce(producer, name, partition, key, value)
            hit(PRODUCED)
            left = producer.flush(TIMEOUT_MS / 1000 + 5)
        except KafkaException as error:
            self._give_up(error.args[0])
        if self._failed or left:
            self._give_up(self._failed[0] if self._failed else None)

    def _produce(self, producer: Producer, name: str, partition: int, key: bytes | None, value: bytes) -> None:
        while True:
            try:
                producer.produce(name, value, key, partition, on_delivery=self._report)
                return
            except BufferError:
                producer.poll(0.1)
                if self._failed:
                    self._give_up(self._failed[0])

    def _connect(self) -> Producer:
        self._failed.clear()
        self._producer = Producer(self._config)
        return self._producer

    def _report(self, error: KafkaError | None, _: Message) -> None:
        if error is not None:
            self._failed.append(error)

    def _give_up(self, error: KafkaError | None) -> None:
        """Start over with a new producer: what is still queued in this one must not come later, out of order."""
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.purge()
            producer.flush(1.0)
        if error is not None and error.code() in TOO_LARGE:
            raise too_large(error)
        raise Unavailable(f"Kafka does not take records ({error.str() if error else 'time-out'}): tried again.")


def too_large(error: KafkaError) -> TidecastError:
    """What to do about one of TOO_LARGE."""
    return TidecastError(f"Kafka refuses a record as too large ({error.str()}): raise the topic's max.message.bytes.")
