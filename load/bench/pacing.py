"""A publisher in its own process that keeps an open loop: every event has a due time, whatever the system does.

If an event waits behind a slow one, its latency counts from its due time (Tene, "How NOT to Measure Latency")."""

import time
from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import chain
from multiprocessing.connection import Connection
from typing import Any

from confluent_kafka import Consumer, Producer, TopicPartition

from load.bench.child_process import ChildProcess
from load.bench.job import BenchJob, EncodedRecord
from load.bench.publishing import producer
from load.ticks import TickKey
from load.wire import Wire, leading_text

STEP_S = 0.001
"""Shortest sleep of the publisher. Waking for each event would take a core from the system under test. So an event
may be sent up to STEP_S late; the delay counts as latency."""
AHEAD_S = 0.05
"""Seconds from the start command until the first event is due."""


@dataclass(frozen=True, slots=True)
class PacerSettings:
    """Where a pacer publishes. topic: of the events; key: signs the ticks."""

    kafka: str
    registry: str
    key: TickKey
    topic: str
    partitions: int


@dataclass(frozen=True, slots=True)
class PacedRun:
    """One paced stream.

    began, ended: times (perf_counter) at which the first event was due and the last one was sent. max_delay_s: by how
    much an event was sent too late at worst. cores: used by the publisher in that time."""

    began: float
    ended: float
    max_delay_s: float
    cores: float


@dataclass(slots=True)
class EventPositions:
    """The positions of published events, and the times (perf_counter) at which they were due."""

    partitions: Any = field(default_factory=lambda: array("i"))
    offsets: Any = field(default_factory=lambda: array("q"))
    due: Any = field(default_factory=lambda: array("d"))

    def by_position(self) -> dict[tuple[int, int], float]:
        """Return (partition, offset) → due time."""
        return dict(zip(zip(self.partitions, self.offsets, strict=True), self.due, strict=True))


class Pacer(ChildProcess):
    """The handle of the publisher's process: `prepare` or `prepare_stream`, `start`, `wait`, `positions`."""

    def __init__(self, settings: PacerSettings) -> None:
        super().__init__(_serve, settings)

    def prepare(self, rate: int, seconds: float, begun: int) -> None:
        """Encode the events of BenchJob.paced before anything is measured."""
        self.call("prepare", rate, seconds, begun)

    def prepare_stream(self, rate: int, seconds: float) -> None:
        """Prepare as `prepare` does, but encode each event just before it is sent: for many events at a moderate
        rate."""
        self.call("prepare_stream", rate, seconds)

    def start(self) -> None:
        """Start to publish; returns at once."""
        self.send("start")

    def wait(self) -> PacedRun:
        """Wait until Kafka has acked everything."""
        run: PacedRun = self.receive()
        return run

    def positions(self) -> EventPositions:
        """Return the positions of the last stream's events. Reads the log, so call it while nothing is measured."""
        positions: EventPositions = self.call("positions")
        return positions


def _serve(commands: Connection, settings: PacerSettings) -> None:
    process = _PacerProcess(settings)
    while True:
        name, *arguments = commands.recv()
        commands.send(getattr(process, name)(*arguments))


class _PacerProcess:
    """The child's side of Pacer."""

    def __init__(self, settings: PacerSettings) -> None:
        self._settings = settings
        self._job = BenchJob(Wire(settings.registry), settings.key, settings.partitions)
        self._producer = producer(settings.kafka)
        self._consumer = Consumer(
            {"bootstrap.servers": settings.kafka, "group.id": "bench", "enable.auto.commit": False}
        )
        self._records: Iterable[EncodedRecord] = ()
        self._rate = 1
        self._began = 0.0
        self._starts: list[int] = []

    def prepare(self, rate: int, seconds: float, begun: int) -> None:
        """See Pacer."""
        self._records, self._rate = list(self._job.paced(rate, seconds, begun)), rate

    def prepare_stream(self, rate: int, seconds: float) -> None:
        """See Pacer."""
        records = self._job.paced(rate, seconds, 0)
        self._records, self._rate = chain([next(records)], records), rate  # the first one draws all customers

    def start(self) -> PacedRun:
        """See Pacer."""
        self._starts = [end for _, end in self._bounds()]
        self._began, cpu = time.perf_counter() + AHEAD_S, time.process_time()
        max_delay_s = pace(self._producer, self._settings.topic, self._records, self._began, self._rate)
        ended = time.perf_counter()
        self._producer.flush()
        return PacedRun(self._began, ended, max_delay_s, (time.process_time() - cpu) / (ended - self._began))

    def positions(self) -> EventPositions:
        """See Pacer."""
        found = EventPositions()
        for partition, (start, (_, end)) in enumerate(zip(self._starts, self._bounds(), strict=True)):
            self._consumer.assign([TopicPartition(self._settings.topic, partition, start)])
            while start < end:
                for message in self._consumer.consume(10_000, 0.2):
                    start = message.offset() + 1
                    if message.key() is not None:
                        number = int(leading_text(message.value()).rpartition(b"-")[2])
                        found.partitions.append(partition)
                        found.offsets.append(message.offset())
                        found.due.append(self._began + number / self._rate)
        self._consumer.unassign()
        return found

    def _bounds(self) -> list[tuple[int, int]]:
        partitions = [TopicPartition(self._settings.topic, number) for number in range(self._settings.partitions)]
        return [self._consumer.get_watermark_offsets(partition, timeout=30) for partition in partitions]


def pace(target: Producer, topic: str, records: Iterable[EncodedRecord], began: float, rate: int) -> float:
    """Send event number n at began + n / rate. Returns the longest delay in s."""
    max_delay_s, number = 0.0, 0
    for record in records:
        due = began + number / rate
        now = time.perf_counter()
        while now < due:
            target.poll(0)
            time.sleep(max(due - now, STEP_S))
            now = time.perf_counter()
        max_delay_s = max(max_delay_s, now - due)
        if record.partition is None:
            target.produce(topic, record.value, record.key)
            number += 1
        else:
            target.produce(topic, record.value, partition=record.partition)
    return max_delay_s
