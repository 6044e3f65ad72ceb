"""An open loop in a process of its own: every event has its moment beforehand, whatever the system does. What waits
because something before it was slow has waited since that moment (Tene, "How NOT to Measure Latency")."""

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
from load.wire import Wire, leading_text

STEP_S = 0.001
"""The publisher sleeps so long at least: to wake for each event would take a core from what is measured. So an event
goes up to so much later than it was meant to, which counts as latency."""
AHEAD_S = 0.05
"""From the order to go until the first event's moment."""


@dataclass(frozen=True, slots=True)
class PacerSettings:
    """Where a pacer publishes. topic: of the events; key: the system's signing key."""

    kafka: str
    registry: str
    key: str
    topic: str
    partitions: int


@dataclass(frozen=True, slots=True)
class PacedRun:
    """began, ended: moments (perf_counter) of the first event and when the last one had gone. behind: by how much the
    publisher was too late at worst, s. cpu: share of a core that it used meanwhile."""

    began: float
    ended: float
    behind: float
    cpu: float


@dataclass(slots=True)
class EventPlaces:
    """Where events lie, and the moments (perf_counter) they were meant for."""

    partitions: Any = field(default_factory=lambda: array("i"))
    offsets: Any = field(default_factory=lambda: array("q"))
    due: Any = field(default_factory=lambda: array("d"))

    def by_place(self) -> dict[tuple[int, int], float]:
        """(partition, offset) → moment."""
        return dict(zip(zip(self.partitions, self.offsets, strict=True), self.due, strict=True))


class Pacer(ChildProcess):
    """The handle of the publisher's process: `make`, `go`, `done`, `places`."""

    def __init__(self, order: PacerSettings) -> None:
        super().__init__(_serve, order)

    def make(self, rate: int, seconds: float, begun: int) -> None:
        """BenchJob.paced's events, encoded before anything is measured."""
        self.ask("make", rate, seconds, begun)

    def stream(self, rate: int, seconds: float) -> None:
        """As `make`, but each event is encoded just before it goes: for many of them at a modest rate."""
        self.ask("stream", rate, seconds)

    def go(self) -> None:
        """Publish what was made; returns at once."""
        self.tell("go")

    def done(self) -> PacedRun:
        """Waits until Kafka has acked all of it."""
        paced: PacedRun = self.answer()
        return paced

    def places(self) -> EventPlaces:
        """Of the events published last, as the log itself tells: to ask while nothing is measured."""
        places: EventPlaces = self.ask("places")
        return places


def _serve(commands: Connection, order: PacerSettings) -> None:
    work = _PacerProcess(order)
    while True:
        name, *arguments = commands.recv()
        commands.send(getattr(work, name)(*arguments))


class _PacerProcess:
    """What a pacer's process does."""

    def __init__(self, order: PacerSettings) -> None:
        self._order = order
        self._job = BenchJob(Wire(order.registry), order.key, order.partitions)
        self._producer = producer(order.kafka)
        self._consumer = Consumer({"bootstrap.servers": order.kafka, "group.id": "bench", "enable.auto.commit": False})
        self._made: Iterable[EncodedRecord] = ()
        self._rate = 1
        self._began = 0.0
        self._starts: list[int] = []

    def make(self, rate: int, seconds: float, begun: int) -> None:
        """See Pacer."""
        self._made, self._rate = list(self._job.paced(rate, seconds, begun)), rate

    def stream(self, rate: int, seconds: float) -> None:
        """See Pacer."""
        made = self._job.paced(rate, seconds, 0)
        self._made, self._rate = chain([next(made)], made), rate  # to get the first one draws all the customers

    def go(self) -> PacedRun:
        """See Pacer."""
        self._starts = [end for _, end in self._bounds()]
        self._began, cpu = time.perf_counter() + AHEAD_S, time.process_time()
        behind = pace(self._producer, self._order.topic, self._made, self._began, self._rate)
        ended = time.perf_counter()
        self._producer.flush()
        return PacedRun(self._began, ended, behind, (time.process_time() - cpu) / (ended - self._began))

    def places(self) -> EventPlaces:
        """See Pacer."""
        found = EventPlaces()
        for partition, (start, (_, end)) in enumerate(zip(self._starts, self._bounds(), strict=True)):
            self._consumer.assign([TopicPartition(self._order.topic, partition, start)])
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
        places = [TopicPartition(self._order.topic, partition) for partition in range(self._order.partitions)]
        return [self._consumer.get_watermark_offsets(place, timeout=30) for place in places]


def pace(target: Producer, topic: str, made: Iterable[EncodedRecord], began: float, rate: int) -> float:
    """Event number n at began + n / rate; the longest time by which one went too late, s."""
    behind, number = 0.0, 0
    for one in made:
        due = began + number / rate
        now = time.perf_counter()
        while now < due:
            target.poll(0)
            time.sleep(max(due - now, STEP_S))
            now = time.perf_counter()
        behind = max(behind, now - due)
        if one.partition is None:
            target.produce(topic, one.value, one.key)
            number += 1
        else:
            target.produce(topic, one.value, partition=one.partition)
    return behind
