"""Publishing a stream at its pace, whatever becomes of it."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from confluent_kafka import KafkaError, Message, Producer

from load.customers.pace import Pace
from load.customers.stream import Chunk

TOPIC = "customer-events"
QUEUE = 2_000_000
AT_ONCE = 500
"""Records between two looks at the clock."""
Tick = Callable[[int], Iterable[tuple[int, bytes]]]


@dataclass(slots=True)
class Told:
    """What was published. behind: greatest time by which a record went later than it was due, in seconds: above some
    milliseconds the generator itself was too slow, and the load less than was meant."""

    records: int = 0
    good: int = 0
    repeated: int = 0
    lost: int = 0
    seconds: float = 0.0
    behind: float = 0.0


class Publisher:
    """`tick` gives (partition, bytes) of the control records that end an hour of event time. With `timed` it is kept in
    `due`, by (partition, offset), when each record was due (perf_counter)."""

    def __init__(self, kafka: str, tick: Tick, timed: bool = False) -> None:
        self._producer = Producer(
            {
                "bootstrap.servers": kafka,
                "partitioner": "murmur2_random",
                "enable.idempotence": True,
                "linger.ms": 1,
                "queue.buffering.max.messages": QUEUE,
                "message.timeout.ms": 0,
                "log_level": 0,
            }
        )
        self._tick = tick
        self._timed = timed
        self.due: dict[tuple[int, int], float] = {}
        self.told = Told()

    def run(self, chunks: Iterable[Chunk], pace: Pace) -> Told:
        """All of them, each at its moment; returns when Kafka has acked the last."""
        told, began = self.told, time.perf_counter()
        for chunk in chunks:
            due = began + pace.moments(told.records, len(chunk.keys))
            self._chunk(chunk, due)
            told.good += chunk.good
            told.repeated += chunk.repeated
            for partition, value in self._tick(chunk.tick):
                self._produce(value, None, partition)
        while self._producer.flush(1.0):
            pass
        told.seconds = time.perf_counter() - began
        return told

    def _chunk(self, chunk: Chunk, due: Any) -> None:
        told, at, count = self.told, 0, len(due)
        while at < count:
            now = time.perf_counter()
            ready = min(int(np.searchsorted(due, now, side="right")), at + AT_ONCE)
            if ready <= at:
                self._producer.poll(min(due[at] - now, 0.05))
                continue
            told.behind = max(told.behind, now - due[at])
            for i in range(at, ready):
                self._produce(chunk.values[i], chunk.keys[i], -1, due[i])
            self._producer.poll(0)
            told.records += ready - at
            at = ready

    def _produce(self, value: bytes, key: bytes | None, partition: int, due: float = 0.0) -> None:
        report = self._reporter(due) if self._timed and key is not None else self._failed
        while True:
            try:
                self._producer.produce(TOPIC, value, key, partition, on_delivery=report)
                return
            except BufferError:
                self._producer.poll(0.1)

    def _failed(self, error: KafkaError | None, _: Message) -> None:
        self.told.lost += error is not None

    def _reporter(self, due: float) -> Callable[[KafkaError | None, Message], None]:
        def delivered(error: KafkaError | None, message: Message) -> None:
            self._failed(error, message)
            if error is None:
                self.due[message.partition(), message.offset()] = due

        return delivered
