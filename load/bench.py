"""The smallest benchmark: how fast a backlog is drained, and how soon a prediction can be read.

The reference job (load/reference) through the real broker, registry, Redis and workers: scoring in one process,
learning in another."""

import json
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
import psutil
from confluent_kafka import Consumer, Message, Producer, TopicPartition

from load.reference.events import DAY_MS, NAME, START_MS, activities
from load.ticks import NAME as TICK
from load.ticks import signed_tick
from load.wire import Wire, addresses

PATIENCE_S = 300.0
TARGETS = 2
BACKLOG_DAYS = 30.0
HERE = Path(__file__).parent / "reference" / "use_case"


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured. drain: events per second from the first to the last prediction of the backlog."""

    events: int
    predictions: int
    drain_events_per_s: float
    first_prediction_s: float
    scoring_cpu_us_per_event: float
    latency_rate_per_s: int
    latency_p50_ms: float
    latency_p99_ms: float
    latency_max_ms: float


class Reader(threading.Thread):
    """Reads the predictions as they come, and decodes them only when asked: that would take the workers' time."""

    def __init__(self, place: dict[str, Any], partitions: int) -> None:
        super().__init__(daemon=True)
        self._wire = Wire(place["registry"])
        self._consumer = Consumer(
            {"bootstrap.servers": place["kafka"], "group.id": "bench", "enable.auto.commit": False}
        )
        self._consumer.assign([TopicPartition("predictions", partition, 0) for partition in range(partitions)])
        self._ended = False
        self._ids: dict[bytes, bool] = {}
        self.read: list[tuple[float, int, bytes]] = []
        """Of each prediction: when it was read, Kafka's timestamp in ms, the bytes."""

    def run(self) -> None:
        """Until `end`."""
        while not self._ended:
            first = self._consumer.poll(0.05)
            if first is None:
                continue
            now = time.perf_counter()  # to consume several is to wait until they are many, or for the whole time-out
            for message in (first, *self._consumer.consume(5000, 0)):
                if message.error() is None:
                    self._take(message, now)
        self._consumer.close()

    def end(self) -> None:
        """Stop reading."""
        self._ended = True
        self.join()

    def _take(self, message: Message, now: float) -> None:
        value: bytes = message.value()
        schema = value[:5]
        if schema not in self._ids:
            self._ids[schema] = self._wire.decode(value)[0] == "tidecast.Prediction"
        if self._ids[schema]:
            self.read.append((now, message.timestamp()[1], value))

    def wait_for(self, count: int) -> None:
        """Until so many predictions were read."""
        end = time.monotonic() + PATIENCE_S
        while len(self.read) < count:
            if time.monotonic() > end:
                raise click.ClickException(f"{len(self.read)} of {count} predictions after {PATIENCE_S:.0f} s")
            time.sleep(0.05)

    def sources(self) -> dict[tuple[int, int, int], float]:
        """(partition, offset, ordinal) of each different prediction's cause → when it was read first."""
        found: dict[tuple[int, int, int], float] = {}
        for now, _, value in self.read:
            source = self._wire.decode(value)[1]["source"]
            found.setdefault((source["partition"], source["offset"], source["ordinal"]), now)
        return found


class Publisher:
    """Publishes events and ticks, and knows where each event came to lie."""

    def __init__(self, place: dict[str, Any], partitions: int) -> None:
        self._wire = Wire(place["registry"])
        self._key: str = place["signing_key"]
        self._partitions = partitions
        self.producer = Producer(
            {
                "bootstrap.servers": place["kafka"],
                "partitioner": "murmur2_random",
                "enable.idempotence": True,
                "linger.ms": 0.5,
                "log_level": 0,
            }
        )
        self.sent: dict[tuple[int, int], float] = {}

    def event(self, record: dict[str, Any], timed: bool = False) -> None:
        """Publish one; with `timed` remember when."""
        value, key = self._wire.encode(NAME, record), record["customer_id"].encode()
        now = time.perf_counter()

        def delivered(_error: object, message: Message) -> None:
            self.sent[message.partition(), message.offset()] = now

        while True:
            try:
                self.producer.produce("customer-events", value, key, on_delivery=delivered if timed else None)
                return
            except BufferError:
                self.producer.poll(0.1)

    def tick(self, time_ms: int) -> None:
        """Let time pass in all partitions."""
        for partition in range(self._partitions):
            value = self._wire.encode(TICK, signed_tick(time_ms, "load.bench", self._key, partition))
            self.producer.produce("customer-events", value, partition=partition)

    def backlog(self, count: int) -> None:
        """All at once, with a tick each day."""
        ticked = START_MS
        for record in activities(count, BACKLOG_DAYS, seed=1):
            if record["occurred_at"] >= ticked + DAY_MS:
                ticked += DAY_MS
                self.tick(ticked)
            self.event(record)
        self.producer.flush()

    def paced(self, rate: int, seconds: int) -> None:
        """At an even rate, timed."""
        start_ms = START_MS + int(BACKLOG_DAYS * DAY_MS)
        began = time.perf_counter()
        for number, record in enumerate(activities(rate * seconds, seconds / 86_400, seed=2, start_ms=start_ms)):
            while (ahead := began + number / rate - time.perf_counter()) > 0:
                self.producer.poll(min(ahead, 0.001))
            self.event(record, timed=True)
        self.producer.flush()


def tidecast(*arguments: str) -> list[str]:
    """The command line of tidecast in this environment."""
    return [sys.executable, "-c", "from agents.cli import main; main()", *arguments]


@contextmanager
def system(partitions: int) -> Iterator[None]:
    """A stack of its own with the reference job deployed; ended afterwards."""
    with tempfile.TemporaryDirectory(prefix="tidecast-bench-") as folder:
        os.environ["TIDECAST_DATA"] = folder
        try:
            subprocess.run(tidecast("stack", "up"), check=True, stdout=sys.stderr)
            command = tidecast("deploy", str(HERE), "--partitions", str(partitions))
            subprocess.run(command, check=True, stdout=sys.stderr)
            yield
        finally:
            subprocess.run(tidecast("stack", "down", "--wipe"), check=False, stdout=sys.stderr)


@contextmanager
def worker() -> Iterator[psutil.Process]:
    """Scoring and learning; gives the scoring process' parent."""
    process = subprocess.Popen(tidecast("worker", "scoring", "learning", "--use-case", str(HERE)), stdout=sys.stderr)
    try:
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(30)


def scoring_cpu(supervisor: psutil.Process) -> float:
    """CPU seconds of the scoring process so far."""
    for child in supervisor.children():
        if "scoring" in child.cmdline():
            times = child.cpu_times()
            return float(times.user + times.system)
    return 0.0


def measure(events: int, rate: int, seconds: int, partitions: int) -> Figures:
    """Both measurements, on a running system."""
    place = addresses()
    publisher = Publisher(place, partitions)
    click.echo(f"publishing a backlog of {events:,} events …", err=True)
    publisher.backlog(events)
    reader = Reader(place, partitions)
    reader.start()
    began = time.perf_counter()
    with worker() as supervisor:
        reader.wait_for(1)
        first, cpu = time.perf_counter() - began, scoring_cpu(supervisor)
        reader.wait_for(TARGETS * events)
        cpu = scoring_cpu(supervisor) - cpu
        stamps = [stamp for _, stamp, _ in reader.read]
        drain = events / max((max(stamps) - min(stamps)) / 1000, 0.001)
        click.echo(f"drained; now {rate:,} events/s for {seconds} s …", err=True)
        time.sleep(3)
        publisher.paced(rate, seconds)
        reader.wait_for(TARGETS * (events + rate * seconds))
    reader.end()
    sources = reader.sources()
    latencies = sorted(_latencies(publisher.sent, sources))
    return Figures(
        events=events,
        predictions=len(sources),
        drain_events_per_s=round(drain),
        first_prediction_s=round(first, 2),
        scoring_cpu_us_per_event=round(1e6 * cpu / events, 1),
        latency_rate_per_s=rate,
        latency_p50_ms=round(latencies[len(latencies) // 2], 1),
        latency_p99_ms=round(latencies[int(len(latencies) * 0.99)], 1),
        latency_max_ms=round(latencies[-1], 1),
    )


def _latencies(sent: dict[tuple[int, int], float], sources: dict[tuple[int, int, int], float]) -> Iterator[float]:
    """Milliseconds from `produce` of each timed event to the reading of each of its answers."""
    for (partition, offset, _), read in sources.items():
        if (partition, offset) in sent:
            yield 1000 * (read - sent[partition, offset])


def environment() -> dict[str, Any]:
    """What the figures depend on."""
    return {
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        **{name: version(name) for name in ("tidecast", "river", "faust-streaming", "confluent-kafka", "fastavro")},
    }


@click.command()
@click.option("--events", default=100_000, show_default=True, type=click.IntRange(1000), help="Size of the backlog.")
@click.option("--rate", default=1000, show_default=True, type=click.IntRange(1), help="Events/s for the latency.")
@click.option("--seconds", default=20, show_default=True, type=click.IntRange(1), help="How long at that rate.")
@click.option("--partitions", default=4, show_default=True, type=click.IntRange(1, 64))
@click.option("--json", "file", type=click.Path(path_type=Path), help="Write the figures there too.")
def main(events: int, rate: int, seconds: int, partitions: int, file: Path | None) -> None:
    """Drain a backlog of the reference job with one scoring worker, then measure the latency at a steady rate.

    Starts its own servers, about a minute in all. Prints a table, and JSON with the environment.

    \b
    python -m load.bench
    python -m load.bench --events 500000 --rate 5000 --json figures.json
    """
    with system(partitions):
        figures = measure(events, rate, seconds, partitions)
    for name, value in asdict(figures).items():
        click.echo(f"{name.replace('_', ' '):26} {value:>12,}")
    told = json.dumps({"figures": asdict(figures), "environment": environment()})
    click.echo(told)
    if file is not None:
        file.write_text(told + "\n")


if __name__ == "__main__":
    main()
