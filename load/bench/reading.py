"""Reads predictions in its own process and records when each one became readable."""

import time
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from multiprocessing.connection import Connection
from typing import Any

import click
from confluent_kafka import Consumer, Message, TopicPartition

from load.bench.child_process import START, ChildProcess
from load.wire import HEADER, Wire, leading_text
from schemas.records import PREDICTION

PATIENCE_S = 300.0
BATCH = 5000
"""The maximum number of messages taken from the client at once."""
POLL_S = 0.05
START_S = 0.5
"""Shortest time in which a process starts."""
COUNT, FIRST, LAST = range(3)


@dataclass(slots=True)
class PredictionLog:
    """Predictions in the order in which they were read: the coordinates of the events that caused them, and the times
    (perf_counter) when they became readable."""

    partitions: Any = field(default_factory=lambda: array("i"))
    offsets: Any = field(default_factory=lambda: array("q"))
    ordinals: Any = field(default_factory=lambda: array("i"))
    moments: Any = field(default_factory=lambda: array("d"))

    def sources(self) -> dict[tuple[int, int, int], float]:
        """Return (partition, offset, ordinal) of each distinct prediction → when it was first readable."""
        found: dict[tuple[int, int, int], float] = {}
        for *source, moment in zip(self.partitions, self.offsets, self.ordinals, self.moments, strict=True):
            found.setdefault((source[0], source[1], source[2]), moment)
        return found

    def silence(self, since: float) -> float:
        """Return the longest gap between two predictions that ended after `since`, in s."""
        return max((length for length, _ in self._gaps(since)), default=0.0)

    def resumed(self, killed: float) -> float:
        """Return when the process that was started after the kill sent its first predictions.

        Raises ClickException when the log does not show it."""
        gaps = self._gaps(killed + START_S)  # before that, predictions are still the killed process's
        end = next((end for length, end in gaps if length > START_S), None)
        if end is None:
            raise click.ClickException("no predictions came after the kill: see the workers' logs")
        return end

    def _gaps(self, since: float) -> Iterator[tuple[float, float]]:
        """Yield length and end of the gaps between two predictions that ended after `since`."""
        return ((later - earlier, later) for earlier, later in pairwise(self.moments) if later > since)

    def first_new(self, since: float) -> float:
        """Return when the first prediction after `since` came that is not a repetition."""
        return min((moment for moment in self.sources().values() if moment >= since), default=since)


class PredictionReader(ChildProcess):
    """The handle of the reader's process, which reads from the beginning of the topic."""

    def __init__(self, kafka: str, registry: str, topic: str, partitions: int, check: Callable[[], None]) -> None:
        """`check` raises when the workers have ended."""
        self._counters = START.Array("d", 3, lock=False)
        self._check = check
        super().__init__(_serve, kafka, registry, topic, partitions, self._counters)

    @property
    def count(self) -> int:
        """Predictions read so far."""
        return int(self._counters[COUNT])

    @property
    def first(self) -> float:
        """The broker's timestamp of the first prediction, in s."""
        return float(self._counters[FIRST])

    @property
    def last(self) -> float:
        """The broker's timestamp of the latest prediction, in s."""
        return float(self._counters[LAST])

    def record(self) -> None:
        """Start to record when each prediction becomes readable."""
        self.call("record")

    def recorded(self) -> PredictionLog:
        """Stop recording, and return what was recorded since `record`."""
        log: PredictionLog = self.call("recorded")
        return log

    def wait_for(self, count: int, patience_s: float = PATIENCE_S) -> None:
        """Wait until `count` predictions were read. ClickException after `patience_s`."""
        end = time.monotonic() + patience_s
        while self.count < count:
            if time.monotonic() > end:
                raise click.ClickException(f"only {self.count} of {count} predictions came within {patience_s:.0f} s")
            self._check()
            self.check_alive()
            time.sleep(0.02)


def _serve(commands: Connection, kafka: str, registry: str, topic: str, partitions: int, counters: Any) -> None:
    process = _ReaderProcess(Wire(registry), counters)
    consumer = Consumer({"bootstrap.servers": kafka, "group.id": "bench", "enable.auto.commit": False})
    consumer.assign([TopicPartition(topic, partition, 0) for partition in range(partitions)])
    while True:
        first = consumer.poll(POLL_S)  # consume() alone would wait until the batch is full or the time-out is over
        if first is not None:
            messages = [first, *consumer.consume(BATCH, 0)]
            process.take(messages, time.perf_counter())
        if commands.poll():
            (name,) = commands.recv()
            commands.send(getattr(process, name)())


class _ReaderProcess:
    """The child's side of PredictionReader. It decodes nothing while it reads, to leave the CPU to the workers."""

    def __init__(self, wire: Wire, counters: Any) -> None:
        self._wire = wire
        self._counters = counters
        self._wanted: dict[bytes, bool] = {}
        self._ids: list[bytes] | None = None
        self._moments: Any = array("d")

    def take(self, messages: list[Message], now: float) -> None:
        """Count messages that became readable at `now`."""
        counters, ids, count, earliest = self._counters, self._ids, 0, 0.0
        for message in messages:
            value = message.value()
            if message.error() is not None or not self._is_prediction(value):
                continue
            count += 1
            if ids is not None:
                ids.append(leading_text(value))
            latest = message.timestamp()[1] / 1000
            earliest = earliest or latest
        if count:
            self._moments.extend([now] * count if ids is not None else ())
            counters[LAST] = latest
            counters[FIRST] = counters[FIRST] or earliest
            counters[COUNT] += count

    def record(self) -> None:
        """See PredictionReader."""
        self._ids, self._moments = [], array("d")

    def recorded(self) -> PredictionLog:
        """See PredictionReader. A prediction's id is epoch.partition.offset.ordinal of its cause."""
        log = PredictionLog(moments=self._moments)
        for text in self._ids or ():
            _, partition, offset, ordinal = text.split(b".")
            log.partitions.append(int(partition))
            log.offsets.append(int(offset))
            log.ordinals.append(int(ordinal))
        self._ids = None
        return log

    def _is_prediction(self, value: bytes) -> bool:
        schema = value[: HEADER.size]
        if schema not in self._wanted:
            self._wanted[schema] = self._wire.decode(value)[0] == PREDICTION
        return self._wanted[schema]
