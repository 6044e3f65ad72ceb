"""Produces outputs in order per partition, acked by all replicas, to explicit partitions."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer

from sinks.failpoints import PRODUCE_PARTLY, PRODUCED, hit, partly
from sinks.kafka.client import KafkaClient, Reports, producer
from streams.errors import TidecastError
from streams.log import Output, TopicPartition

TIMEOUT_S = 30.0
"""Seconds after which unacked records mean that Kafka is away. The client's own time-out per record is not used: it
would let later records pass, and readers with marks would take the failed one, sent again, for a repetition."""
KNOWN_S = 3600.0
"""Seconds of silence after which the first record of a partition is sent alone.

A broker forgets a producer that was silent for `producer.id.expiration.ms`, a day by default. From an unknown producer
it accepts any sequence number: it could refuse the first request and accept the second one."""
AGAIN = "Tidecast tries again."


class KafkaEmitter:
    """An Emitter on an idempotent producer. Used by one thread at a time."""

    def __init__(self, config: Mapping[str, Any], topic: Callable[[str], str]) -> None:
        """`config`: connection settings of librdkafka. `topic`: logical name → name on the broker."""
        self._config = {"log_level": 2, **config}
        self._reports = Reports()
        self._options = {
            "enable.idempotence": True,
            "acks": "all",
            "linger.ms": 100,  # a flush sends at once: one request per partition instead of several
            "delivery.timeout.ms": 0,
            "enable.gapless.guarantee": True,
            "queue.buffering.max.messages": 1_000_000,
            "queue.buffering.max.kbytes": 1_048_576,
            "message.max.bytes": 4 * 1024 * 1024,
            "delivery.report.only.error": True,
            "on_delivery": self._reports,  # not a callback per record, which costs a third of producing it
        }
        self._topic = topic
        self._names: dict[str, str] = {}
        self._known: dict[tuple[str, int], float] = {}
        self._kafka: KafkaClient[Producer] | None = None

    def assign(self, partitions: Sequence[TopicPartition]) -> None:
        """See Emitter.assign. Starts to connect in the background."""
        if self._kafka is None:
            self._connect()

    def emit(self, outputs: Sequence[Output]) -> None:
        """Produce and wait for every ack.

        After Unavailable the same outputs must be emitted again from the first one on. Readers drop the repeated ones.
        """
        if outputs:
            self._emit(partly(PRODUCE_PARTLY, outputs, self._emit))

    def _emit(self, outputs: Sequence[Output]) -> None:
        now = time.monotonic()
        places = {(output.topic, output.partition) for output in outputs}
        new = {place for place in places if self._known.get(place, -KNOWN_S) <= now - KNOWN_S}
        if new:
            firsts, outputs = _firsts(outputs, new)
            self._send(firsts)
        self._send(outputs)
        self._known.update(dict.fromkeys(places, now))

    def _send(self, outputs: Sequence[Output]) -> None:
        kafka = self._kafka or self._connect()
        names = self._names
        try:
            for topic, partition, key, value, _ in outputs:
                name = names.get(topic)
                if name is None:
                    name = names[topic] = self._topic(topic)
                self._produce(kafka, name, partition, key, value)
            hit(PRODUCED)
            left = kafka.raw.flush(TIMEOUT_S)
        except KafkaException as error:
            raise self._given_up(kafka, self._reports.first or error.args[0]) from None
        except (
            SystemError
        ):  # the client's fatal error, raised while it calls `_reports`, reaches Python as a SystemError
            raise self._given_up(kafka, self._reports.first) from None
        if self._reports.errors or left:
            raise self._given_up(kafka, self._reports.first)

    def _produce(
        self, kafka: KafkaClient[Producer], name: str, partition: int, key: bytes | None, value: bytes
    ) -> None:
        full_until = 0.0
        while True:
            try:
                kafka.raw.produce(name, value, key, partition)
                return
            except BufferError:
                now = time.monotonic()
                full_until = full_until or now + TIMEOUT_S
                kafka.raw.poll(0.1)
                if self._reports.errors or now > full_until:
                    raise self._given_up(kafka, self._reports.first) from None

    def _connect(self) -> KafkaClient[Producer]:
        self._reports.errors.clear()
        self._known.clear()
        self._kafka = producer(self._config, self._options)
        return self._kafka

    def _given_up(self, kafka: KafkaClient[Producer], error: KafkaError | None) -> TidecastError:
        """Return the error to raise; discard the producer: its queued records must not be sent later, out of order."""
        self._kafka = None
        told = kafka.error("send records", error, AGAIN)
        with suppress(KafkaException, SystemError):  # the gap is fatal to the discarded producer, as intended
            kafka.raw.purge()
            kafka.raw.flush(1.0)
        return told


def _firsts(outputs: Sequence[Output], places: set[tuple[str, int]]) -> tuple[list[Output], list[Output]]:
    """Return the first output of each of these partitions, and all others."""
    waiting = set(places)
    firsts: list[Output] = []
    rest: list[Output] = []
    for output in outputs:
        place = (output.topic, output.partition)
        (firsts if place in waiting else rest).append(output)
        waiting.discard(place)
    return firsts, rest
