"""Publishing a stream at its schedule, whatever becomes of it."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from confluent_kafka import KafkaError, Message, Producer

from load.customers.schedule import EventSchedule
from load.customers.stream import Chunk

LINGER_MS = 5
QUEUE = 2_000_000
AT_ONCE = 500
"""Records between two looks at the clock."""
Tick = Callable[[int], Iterable[tuple[int, bytes]]]


@dataclass(slots=True)
class PublishedCounts:
    """What was published: `records`, of which `malformed` are no events, `repeated` were published before and `late`
    come behind the watermark of a use case that allows an hour. lost: what Kafka did not take. behind: greatest time by
    which a record went later than it was due, in seconds: above some milliseconds the generator itself was too slow,
    and the load less than was meant."""

    records: int = 0
    malformed: int = 0
    repeated: int = 0
    late: int = 0
    lost: int = 0
    seconds: float = 0.0
    behind: float = 0.0


class PacedPublisher:
    """`tick` gives (partition, bytes) of the control records that end an hour of event time."""

    def __init__(self, kafka: str, topic: str, tick: Tick) -> None:
        self._producer = Producer(
            {
                "bootstrap.servers": kafka,
                "partitioner": "murmur2_random",
                "enable.idempotence": True,
                "linger.ms": LINGER_MS,
                "queue.buffering.max.messages": QUEUE,
                "message.timeout.ms": 0,
                "delivery.report.only.error": True,  # a call of Python for each record would halve the rate
                "log_level": 0,
            }
        )
        self._topic = topic
        self._tick = tick
        self.told = PublishedCounts()

    def run(self, chunks: Iterable[Chunk], schedule: EventSchedule) -> PublishedCounts:
        """All of them, each at its moment; returns when Kafka has acked the last."""
        made = iter(chunks)
        first = next(made)  # all customers are drawn before the clock starts
        told, began, today = self.told, time.perf_counter(), time.time()
        for chunk in chain([first], made):
            moments = schedule.moments(told.records, len(chunk.keys))
            stamps = ((today + moments) * 1000).astype(np.int64).tolist()
            self._chunk(chunk, began + moments, stamps)
            told.malformed += chunk.malformed
            told.repeated += chunk.repeated
            told.late += chunk.late
            for partition, value in self._tick(chunk.tick):
                self._produce(value, None, partition)
        while self._producer.flush(1.0):
            pass
        told.seconds = time.perf_counter() - began
        return told

    def _chunk(self, chunk: Chunk, due: Any, stamps: list[int]) -> None:
        told, at, count = self.told, 0, len(due)
        while at < count:
            now = time.perf_counter()
            ready = min(int(np.searchsorted(due, now, side="right")), at + AT_ONCE)
            if ready <= at:
                self._producer.poll(min(due[at] - now, 0.05))
                continue
            told.behind = max(told.behind, now - due[at])
            for i in range(at, ready):
                self._produce(chunk.values[i], chunk.keys[i], -1, stamps[i])
            self._producer.poll(0)
            told.records += ready - at
            at = ready

    def _produce(self, value: bytes, key: bytes | None, partition: int, stamp: int = 0) -> None:
        while True:
            try:
                self._producer.produce(self._topic, value, key, partition, self._failed, timestamp=stamp)
                return
            except BufferError:
                self._producer.poll(0.1)

    def _failed(self, error: KafkaError | None, _: Message) -> None:
        self.told.lost += error is not None
