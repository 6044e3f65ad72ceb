"""Producing outputs: in order per partition, acked by all replicas, to explicit partitions."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from sinks.failpoints import PRODUCE_PARTLY, PRODUCED, hit, partly
from streams.errors import TidecastError, Unavailable
from streams.log import Output, TopicPartition

TIMEOUT_S = 30.0
"""How long records may take before that counts as Kafka being away. Not the client's own time-out of a record: it would
let those behind it pass, and readers, who have their marks, would take the one that failed for an old one."""
KNOWN_S = 3600.0
"""A broker forgets a producer that was silent for `producer.id.expiration.ms`, a day by default. Of one that it does
not know it takes a partition's records from any sequence number on, so also a second request, the first refused:
therefore the first record goes alone."""
TOO_LARGE = (KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_RECORD)


class KafkaEmitter:
    """streams.log.Emitter on an idempotent producer. Used by one thread at a time."""

    def __init__(self, config: Mapping[str, Any], topic: Callable[[str], str]) -> None:
        """`config`: connection settings of librdkafka; `topic`: a topic's name on the broker."""
        self._config = {
            **config,
            "enable.idempotence": True,
            "acks": "all",
            "linger.ms": 100,  # a flush sends at once: one request a partition instead of several
            "delivery.timeout.ms": 0,
            "enable.gapless.guarantee": True,
            "queue.buffering.max.messages": 1_000_000,
            "queue.buffering.max.kbytes": 1_048_576,
            "message.max.bytes": 4 * 1024 * 1024,
            "delivery.report.only.error": True,
            "on_delivery": self._report,  # not with each record: that costs a third of producing it
            "log_level": 2,
        }
        self._topic = topic
        self._names: dict[str, str] = {}
        self._failed: list[KafkaError] = []
        self._known: dict[tuple[str, int], float] = {}
        self._producer: Producer | None = None

    def assign(self, partitions: Sequence[TopicPartition]) -> None:
        """streams.log.Emitter.assign: time to connect, which goes on beside what follows."""
        if self._producer is None:
            self._connect()

    def emit(self, outputs: Sequence[Output]) -> None:
        """Produce and wait for every ack. After Unavailable the same outputs must be emitted again from the
        first one on: readers drop those that were written."""
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
        producer = self._producer or self._connect()
        names = self._names
        try:
            for topic, partition, key, value, _ in outputs:
                name = names.get(topic)
                if name is None:
                    name = names[topic] = self._topic(topic)
                self._produce(producer, name, partition, key, value)
            hit(PRODUCED)
            left = producer.flush(TIMEOUT_S)
        except KafkaException as error:
            self._give_up(self._failed[0] if self._failed else error.args[0])
        except SystemError:  # the client's fatal error, raised while it calls `_report`, which Python takes for a bug
            self._give_up(self._failed[0] if self._failed else None)
        if self._failed or left:
            self._give_up(self._failed[0] if self._failed else None)

    def _produce(self, producer: Producer, name: str, partition: int, key: bytes | None, value: bytes) -> None:
        full_until = 0.0
        while True:
            try:
                producer.produce(name, value, key, partition)
                return
            except BufferError:
                now = time.monotonic()
                full_until = full_until or now + TIMEOUT_S
                producer.poll(0.1)
                if self._failed or now > full_until:
                    self._give_up(self._failed[0] if self._failed else None)

    def _connect(self) -> Producer:
        self._failed.clear()
        self._known.clear()
        self._producer = Producer(self._config)
        return self._producer

    def _report(self, error: KafkaError | None, _: Message) -> None:
        if error is not None:
            self._failed.append(error)

    def _give_up(self, error: KafkaError | None) -> None:
        """Start over with a new producer: what is still queued in this one must not come later, out of order."""
        producer, self._producer = self._producer, None
        if producer is not None:
            with suppress(KafkaException, SystemError):  # that there are gaps now is fatal to it, as it should be
                producer.purge()
                producer.flush(1.0)
        if error is not None and error.code() in TOO_LARGE:
            raise too_large(error)
        raise Unavailable(f"Kafka does not take records ({error.str() if error else 'time-out'}): tried again.")


def _firsts(outputs: Sequence[Output], places: set[tuple[str, int]]) -> tuple[list[Output], list[Output]]:
    """The first output of each of these partitions, and all others."""
    waiting = set(places)
    firsts: list[Output] = []
    rest: list[Output] = []
    for output in outputs:
        place = (output.topic, output.partition)
        (firsts if place in waiting else rest).append(output)
        waiting.discard(place)
    return firsts, rest


def too_large(error: KafkaError) -> TidecastError:
    """What to do about one of TOO_LARGE."""
    return TidecastError(f"Kafka refuses a record as too large ({error.str()}): raise the topic's max.message.bytes.")
