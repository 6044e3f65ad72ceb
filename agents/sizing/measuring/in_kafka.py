"""Measures the cost of records for a broker, its readers and its producers, in topics of its own."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import process_time
from typing import ClassVar
from uuid import uuid4

import psutil
import uvloop

from agents.kafka.topics import Logs
from agents.runtime.health import StageHealth
from agents.runtime.stage_runner import Runner
from agents.settings import Settings
from agents.sizing.measuring.job import ASKED, Job, JobReplay
from agents.transport.app import build_app
from schemas.topics import PREDICTIONS, TOPICS
from sinks.kafka.client import admin
from sinks.kafka.producer import KafkaEmitter
from streams.log import Batch, Output, Stage, TopicPartition

PARTITIONS = 4
BACKLOG = 200_000
BATCH = 8_000
RATE, STEPS, STEP_S = 15_000, 800, 0.01
"""Records per second, as for a scorer at half of its capacity; written in STEPS steps of STEP_S seconds."""
PACED = int(RATE * STEPS * STEP_S)
ROUNDS = 3


@dataclass
class _Read:
    """A slice with positions only."""

    positions: Mapping[TopicPartition, int]
    outputs: Sequence[Output] = ()
    rejects: ClassVar[None] = None
    answered: ClassVar[None] = None

    def commit(self) -> None:
        """Keep nothing."""


class Reading(Stage):
    """A stage that reads predictions and does nothing.

    until: records to read; then `done` is set. cpu_s: CPU between the first batch and the last one."""

    topics: Sequence[str] = (PREDICTIONS,)
    stateless = True

    def __init__(self, until: int) -> None:
        self.done = threading.Event()
        self.records = self.first = 0
        self.cpu_s = 0.0
        self._until = until
        self._began: float | None = None

    def wants(self, partition: TopicPartition) -> bool:
        """See Stage: all partitions."""
        return True

    def assign(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        """See Stage: read from the start."""
        return dict.fromkeys(partitions, 0)

    def process(self, batch: Batch) -> Iterator[_Read]:
        """See Stage: one slice."""
        count = sum(map(len, batch.values()))
        if self._began is None:
            self._began, self.first = process_time(), count
        self.records += count
        self.cpu_s = process_time() - self._began
        yield _Read({place: records[-1].offset + 1 for place, records in batch.items()})
        if self.records >= self._until:
            self.done.set()

    def intact(self) -> bool:
        """See Stage.intact: nothing is stored."""
        return True


def kafka_constants(settings: Settings, pid: int) -> dict[str, float]:
    """Return microseconds and bytes by constant. `pid`: of the broker, whose data lies in the data folder."""
    outputs = _outputs()
    with _topics(settings) as own:
        emitter = KafkaEmitter(own.confluent(), own.topic)
        emitter.emit(outputs[:BATCH])
        began = process_time()
        for start in range(BATCH, BACKLOG, BATCH):
            emitter.emit(outputs[start : start + BATCH])
        produced = (process_time() - began) / (BACKLOG - BATCH)
        stage = Reading(BACKLOG)
        uvloop.run(_read(own, stage, stage.done.is_set))
        read = stage.cpu_s / (stage.records - stage.first)
    rounds = [_written_and_read(settings, outputs, pid) for _ in range(1 + ROUNDS)]
    written, both, framing = (
        median(values) for values in zip(*rounds[1:], strict=True)
    )  # Java compiles during the first one
    return {
        "worker_cpu_us_per_record_produced": 1e6 * produced,
        "worker_cpu_us_per_record_read": 1e6 * read,
        "kafka_cpu_us_per_record_written": 1e6 * written,
        "kafka_cpu_us_per_record_read": max(0.0, 1e6 * (both - written)),
        "kafka_bytes_per_record": framing,
    }


def _written_and_read(settings: Settings, outputs: Sequence[Output], pid: int) -> tuple[float, float, float]:
    """Return the broker's CPU seconds per record written, and per record also read; bytes besides the value."""
    with _topics(settings) as own:
        emitter = KafkaEmitter(own.confluent(), own.topic)
        emitter.emit(outputs[:100])
        written = _paced(emitter, outputs, pid)
        framing = _log_bytes(own) / (100 + PACED) - sum(len(one.value) for one in outputs) / len(outputs)
        return written, uvloop.run(_paced_and_read(own, emitter, outputs, pid)), framing


def _outputs() -> list[Output]:
    """Write predictions to all partitions in turn."""
    records = JobReplay(Job()).outputs()[ASKED]
    made = [Output(PREDICTIONS, number % PARTITIONS, r.key, r.value or b"") for number, r in enumerate(records)]
    return made * (BACKLOG // len(made) + 1)


@contextmanager
def _topics(settings: Settings) -> Iterator[Settings]:
    """Create a system without a deployment; delete its topics afterwards."""
    own = settings.model_copy(update={"topic_prefix": f"sizing-{uuid4().hex[:8]}."})
    Logs(own).create(PARTITIONS, None)
    try:
        yield own
    finally:
        kafka = admin(own.confluent())  # its futures end with it
        for future in kafka.raw.delete_topics([own.topic(name) for name in TOPICS]).values():
            future.result()


def _paced(emitter: KafkaEmitter, outputs: Sequence[Output], pid: int) -> float:
    """Return the broker's CPU seconds per record."""
    began, start, step = _cpu_s(pid), time.perf_counter(), PACED // STEPS
    for number in range(STEPS):
        time.sleep(max(0.0, start + number * STEP_S - time.perf_counter()))
        emitter.emit(outputs[number * step : (number + 1) * step])
    return (_cpu_s(pid) - began) / PACED


async def _paced_and_read(own: Settings, emitter: KafkaEmitter, outputs: Sequence[Output], pid: int) -> float:
    """Return the broker's CPU seconds per record while a worker reads them."""
    stage = Reading(100 + PACED)
    stop = threading.Event()
    reading = asyncio.ensure_future(_read(own, stage, stop.is_set))
    while not stage.done.is_set():  # the records that were written before
        await asyncio.sleep(0.1)
    found = await asyncio.to_thread(_paced, emitter, outputs, pid)
    stop.set()
    await reading
    return found


async def _read(own: Settings, stage: Reading, enough: Callable[[], bool]) -> None:
    """Run a worker's stage until `stop` is set."""
    app = build_app(own, "tidecast-sizing", "tidecast-sizing")
    app.batches, app.batch_records, app.batch_interval = 1, own.batch_records, 0.0
    runner = Runner("sizing", stage, KafkaEmitter(own.confluent(), own.topic), StageHealth("sizing"))
    runner.attach(app)
    await app.start()
    while not enough():
        await asyncio.sleep(0.05)
    await app.stop()
    runner.close()


def _log_bytes(own: Settings) -> int:
    files = Path(own.data).rglob(f"{own.topic(PREDICTIONS)}-*/*.log")
    return sum(file.stat().st_size for file in files)


def _cpu_s(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)
