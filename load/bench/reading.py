"""Reading predictions as a consumer does, in a process of its own, and noting when each could be read."""

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
from load.wire import Wire, leading_text

PATIENCE_S = 300.0
MOST = 5000
"""Messages at a time."""
WAIT_S = 0.05
START_S = 0.5
"""No process starts in less."""
COUNT, FIRST, LAST = range(3)


@dataclass(slots=True)
class PredictionLog:
    """Predictions in the order in which they were read: their coordinates, and when each could be read
    (perf_counter)."""

    partitions: Any = field(default_factory=lambda: array("i"))
    offsets: Any = field(default_factory=lambda: array("q"))
    ordinals: Any = field(default_factory=lambda: array("i"))
    moments: Any = field(default_factory=lambda: array("d"))

    def sources(self) -> dict[tuple[int, int, int], float]:
        """(partition, offset, ordinal) of each different prediction's cause → when it could be read first."""
        found: dict[tuple[int, int, int], float] = {}
        for *source, moment in zip(self.partitions, self.offsets, self.ordinals, self.moments, strict=True):
            found.setdefault((source[0], source[1], source[2]), moment)
        return found

    def silence(self, since: float) -> float:
        """The longest time without a prediction that ended after `since`, s."""
        return max((length for length, _ in self._gaps(since)), default=0.0)

    def back(self, killed: float) -> float:
        """When the predictions of the process that was started after the kill began to come. ClickException when it is
        not to be seen."""
        gaps = self._gaps(killed + START_S)  # what ends before that was still the dead process's
        end = next((end for length, end in gaps if length > START_S), None)
        if end is None:
            raise click.ClickException("no predictions were seen to come again after the kill: see the workers' logs")
        return end

    def _gaps(self, since: float) -> Iterator[tuple[float, float]]:
        """(length, end) of those between two predictions that ended after `since`."""
        return ((later - earlier, later) for earlier, later in pairwise(self.moments) if later > since)

    def first_new(self, since: float) -> float:
        """When the first prediction that was not read before came, from `since` on."""
        return min((moment for moment in self.sources().values() if moment >= since), default=since)


class PredictionReader(ChildProcess):
    """The handle of the reader's process, which reads from the topic's beginning."""

    def __init__(self, kafka: str, registry: str, topic: str, partitions: int, check: Callable[[], None]) -> None:
        """`check` raises when it is of no use to wait any more."""
        self._told = START.Array("d", 3, lock=False)
        self._check = check
        super().__init__(_serve, kafka, registry, topic, partitions, self._told)

    @property
    def count(self) -> int:
        """Predictions read so far."""
        return int(self._told[COUNT])

    @property
    def first(self) -> float:
        """Broker's time in s of the first prediction."""
        return float(self._told[FIRST])

    @property
    def last(self) -> float:
        """Broker's time in s of the latest prediction."""
        return float(self._told[LAST])

    def keep(self) -> None:
        """From now on note when each prediction could be read."""
        self.ask("keep")

    def kept(self) -> PredictionLog:
        """What was noted since `keep`; no more is."""
        read: PredictionLog = self.ask("kept")
        return read

    def wait_for(self, count: int, patience_s: float = PATIENCE_S) -> None:
        """Until so many predictions were read."""
        end = time.monotonic() + patience_s
        while self.count < count:
            if time.monotonic() > end:
                raise click.ClickException(f"{self.count} of {count} predictions after {patience_s:.0f} s")
            self._check()
            self.check_alive()
            time.sleep(0.02)


def _serve(commands: Connection, kafka: str, registry: str, topic: str, partitions: int, told: Any) -> None:
    work = _ReaderProcess(Wire(registry), told)
    consumer = Consumer({"bootstrap.servers": kafka, "group.id": "bench", "enable.auto.commit": False})
    consumer.assign([TopicPartition(topic, partition, 0) for partition in range(partitions)])
    while True:
        first = consumer.poll(WAIT_S)  # to consume several at once is to wait for many, or for the whole time-out
        if first is not None:
            messages = [first, *consumer.consume(MOST, 0)]
            work.take(messages, time.perf_counter())
        if commands.poll():
            (name,) = commands.recv()
            commands.send(getattr(work, name)())


class _ReaderProcess:
    """What a reader's process does. Decodes nothing while it reads: that would take the workers' time."""

    def __init__(self, wire: Wire, told: Any) -> None:
        self._wire = wire
        self._told = told
        self._wanted: dict[bytes, bool] = {}
        self._ids: list[bytes] | None = None
        self._moments: Any = array("d")

    def take(self, messages: list[Message], now: float) -> None:
        """Messages that could be read by now."""
        told, ids, count, earliest = self._told, self._ids, 0, 0.0
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
            told[LAST] = latest
            told[FIRST] = told[FIRST] or earliest
            told[COUNT] += count

    def keep(self) -> None:
        """See PredictionReader."""
        self._ids, self._moments = [], array("d")

    def kept(self) -> PredictionLog:
        """See PredictionReader. A prediction id is epoch.partition.offset.ordinal of its cause."""
        read = PredictionLog(moments=self._moments)
        for text in self._ids or ():
            _, partition, offset, ordinal = text.split(b".")
            read.partitions.append(int(partition))
            read.offsets.append(int(offset))
            read.ordinals.append(int(ordinal))
        self._ids = None
        return read

    def _is_prediction(self, value: bytes) -> bool:
        schema = value[:5]
        if schema not in self._wanted:
            self._wanted[schema] = self._wire.decode(value)[0] == "tidecast.Prediction"
        return self._wanted[schema]
