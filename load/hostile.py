"""What very many customers, or one customer with very many events, do to a worker's memory and to Redis.

The reference job on a stack of its own: events spread over so many customers, in turn, one second apart in all."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import click
import psutil
import redis
from confluent_kafka import Consumer, TopicPartition

from load.bench import HERE, TARGETS, Publisher, environment, system, tidecast
from load.reference.events import START_MS
from load.wire import addresses

PATIENCE_S = 3600.0
SAMPLE_S = 0.5


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured. largest_customer_bytes: its state and its open observations in Redis."""

    customers: int
    events: int
    seconds: float
    events_per_s: float
    worker_start_mib: float
    worker_peak_mib: float
    redis_mib: float
    redis_bytes_per_customer: float
    largest_customer_bytes: int


class Watch(threading.Thread):
    """The largest memory of a worker's scoring process, sampled."""

    def __init__(self, supervisor: psutil.Process) -> None:
        super().__init__(daemon=True)
        self._supervisor = supervisor
        self._ended = threading.Event()
        self.first = self.peak = 0

    def run(self) -> None:
        """Until `end`."""
        while not self._ended.wait(SAMPLE_S):
            for child in self._supervisor.children():
                if "scoring" in child.cmdline():
                    now: int = child.memory_info().rss
                    self.first = self.first or now
                    self.peak = max(self.peak, now)

    def end(self) -> None:
        """Stop sampling."""
        self._ended.set()
        self.join()


@contextmanager
def scoring() -> Iterator[psutil.Process]:
    """A worker that scores only; gives the supervisor."""
    process = subprocess.Popen(tidecast("worker", "scoring", "--use-case", str(HERE)), stdout=sys.stderr)
    try:
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(30)


def publish(publisher: Publisher, customers: int, events: int) -> None:
    """All events, a second of event time apart from first to last customer."""
    for number in range(events):
        customer = f"customer-{number % customers:08d}"
        publisher.event(
            {
                "event_id": f"hostile-{number:010d}",
                "customer_id": customer,
                "type": ("call", "sms", "data", "topup")[number % 4],
                "occurred_at": START_MS + number * 1000 // max(1, customers),
                "amount": 1.0 + number % 100,
                "props": {},
                "source": "",
            }
        )
        if number % 100_000 == 0:
            click.echo(f"published {number:,} of {events:,}", err=True)
    publisher.producer.flush()


def wait_for(place: dict[str, str], partitions: int, predictions: int) -> None:
    """Until so many were put out."""
    reader = Consumer({"bootstrap.servers": place["kafka"], "group.id": "hostile", "enable.auto.commit": False})
    end = time.monotonic() + PATIENCE_S
    said = 0.0
    try:
        while True:
            ends = (reader.get_watermark_offsets(TopicPartition("predictions", p)) for p in range(partitions))
            there = sum(high for _, high in ends)
            if there >= predictions:
                return
            if time.monotonic() > end:
                raise click.ClickException(f"{there} of {predictions} predictions after {PATIENCE_S:.0f} s")
            if time.monotonic() - said > 10:
                click.echo(f"{there:,} of {predictions:,} predictions", err=True)
                said = time.monotonic()
            time.sleep(0.5)
    finally:
        reader.close()


def largest_customer(client: "redis.Redis") -> int:
    """Bytes of the largest state or observations among some thousand customers."""
    found = 0
    for number, key in enumerate(client.scan_iter(match="*}:[co]:*", count=1000)):
        found = max(found, int(client.strlen(key)))
        if number > 10_000:
            break
    return found


def measure(customers: int, events: int, partitions: int) -> Figures:
    """On a running system."""
    place = addresses()
    client = redis.Redis.from_url(place["redis"])
    before = int(client.info("memory")["used_memory"])
    publish(Publisher(place, partitions), customers, events)
    began = time.perf_counter()
    with scoring() as supervisor:
        watch = Watch(supervisor)
        watch.start()
        wait_for(place, partitions, TARGETS * events)
        seconds = time.perf_counter() - began
        time.sleep(2)  # the last commit
        watch.end()
        held = int(client.info("memory")["used_memory"]) - before
        return Figures(
            customers=customers,
            events=events,
            seconds=round(seconds, 1),
            events_per_s=round(events / seconds),
            worker_start_mib=round(watch.first / 2**20),
            worker_peak_mib=round(watch.peak / 2**20),
            redis_mib=round(held / 2**20),
            redis_bytes_per_customer=round(held / customers),
            largest_customer_bytes=largest_customer(client),
        )


@click.command()
@click.option("--customers", default=100_000, show_default=True, type=click.IntRange(1), help="Different customers.")
@click.option("--events", default=None, type=click.IntRange(1), help="Default: one for each customer.")
@click.option("--partitions", default=4, show_default=True, type=click.IntRange(1, 64))
@click.option("--json", "file", type=click.Path(path_type=Path), help="Write the figures there too.")
def main(customers: int, events: int | None, partitions: int, file: Path | None) -> None:
    """How much memory a worker and Redis need for that many customers, or for one with that many events.

    Starts its own servers. Prints a table, and JSON with the environment.

    \b
    python -m load.hostile --customers 2000000
    python -m load.hostile --customers 1 --events 1000000
    """
    with system(partitions):
        figures = measure(customers, events or customers, partitions)
    for name, value in asdict(figures).items():
        click.echo(f"{name.replace('_', ' '):26} {value:>14,}")
    told = json.dumps({"figures": asdict(figures), "environment": environment()})
    click.echo(told)
    if file is not None:
        file.write_text(told + "\n")


if __name__ == "__main__":
    main()
