"""Publishes a stream on schedule, even if the system is slow."""

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
"""The maximum number of records that are sent between two looks at the clock."""
Tick = Callable[[int], Iterable[tuple[int, bytes]]]


@dataclass(slots=True)
class PublishedCounts:
    """What was published.

    records: in all. malformed: not Avro. repeated: published before. late: behind the watermark of a use case that
    allows an hour. lost: not accepted by Kafka. max_delay_s: by how much a record was sent too late at worst; above
    a few milliseconds the generator itself was too slow, and the load lower than intended."""

    records: int = 0
    malformed: int = 0
    repeated: int = 0
    late: int = 0
    lost: int = 0
    seconds: float = 0.0
    max_delay_s: float = 0.0


class PacedPublisher:
    """Publishes to one topic. `tick` returns (partition, bytes) of the ticks that end an hour of event time."""

    def __init__(self, kafka: str, topic: str, tick: Tick) -> None:
        self._producer = Producer(
            {
                "bootstrap.servers": kafka,
                "partitioner": "murmur2_random",
                "enable.idempotence": True,
                "linger.ms": LINGER_MS,
                "queue.buffering.max.messages": QUEUE,
                "message.timeout.ms": 0,
                "delivery.report.only.error": True,  # a Python call per record would halve the rate
                "log_level": 0,
            }
        )
        self._topic = topic
        self._tick = tick
        self.counts = PublishedCounts()

    def run(self, chunks: Iterable[Chunk], schedule: EventSchedule) -> PublishedCounts:
        """Publish all chunks, each record at its due time; returns when Kafka has acked the last."""
        remaining = iter(chunks)
        first = next(remaining)  # draws all customers before the clock starts
        counts, began, today = self.counts, time.perf_counter(), time.time()
        for chunk in chain([first], remaining):
            moments = schedule.moments(counts.records, len(chunk.keys))
            stamps = ((today + moments) * 1000).astype(np.int64).tolist()
            self._chunk(chunk, began + moments, stamps)
            counts.malformed += chunk.malformed
            counts.repeated += chunk.repeated
            counts.late += chunk.late
            for partition, value in self._tick(chunk.tick):
                self._produce(value, None, partition)
        while self._producer.flush(1.0):
            pass
        counts.seconds = time.perf_counter() - began
        return counts

    def _chunk(self, chunk: Chunk, due: Any, stamps: list[int]) -> None:
        counts, at, count = self.counts, 0, len(due)
        while at < count:
            now = time.perf_counter()
            ready = min(int(np.searchsorted(due, now, side="right")), at + AT_ONCE)
            if ready <= at:
                self._producer.poll(min(due[at] - now, 0.05))
                continue
            counts.max_delay_s = max(counts.max_delay_s, now - due[at])
            for i in range(at, ready):
                self._produce(chunk.values[i], chunk.keys[i], -1, stamps[i])
            self._producer.poll(0)
            counts.records += ready - at
            at = ready

    def _produce(self, value: bytes, key: bytes | None, partition: int, stamp: int = 0) -> None:
        while True:
            try:
                self._producer.produce(self._topic, value, key, partition, self._failed, timestamp=stamp)
                return
            except BufferError:
                self._producer.poll(0.1)

    def _failed(self, error: KafkaError | None, _: Message) -> None:
        self.counts.lost += error is not None
