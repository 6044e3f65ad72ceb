"""Memory of the worker and of Redis for a number of customers."""

import threading
import time
from dataclasses import dataclass

import redis

from load.bench.job import TARGETS
from load.bench.system import BenchSystem
from load.bench.workers import BenchWorkers

SAMPLE_S = 0.5
SAMPLED_KEYS = 10_000
"""Redis keys that are searched for the largest customer."""


@dataclass(frozen=True, slots=True)
class MemoryFigures:
    """The figures of a run. largest_customer_bytes: state and open observations of one customer in Redis."""

    customers: int
    events: int
    seconds: float
    events_per_s: float
    worker_start_mib: float
    worker_peak_mib: float
    redis_mib: float
    redis_bytes_per_customer: float
    largest_customer_bytes: int


class MemorySampler(threading.Thread):
    """Samples the memory of the scoring process and keeps the largest value."""

    def __init__(self, workers: BenchWorkers) -> None:
        super().__init__(daemon=True)
        self._workers = workers
        self._ended = threading.Event()
        self.first = self.peak = 0.0

    def run(self) -> None:
        """Sample until `end` is called."""
        while not self._ended.wait(SAMPLE_S):
            now = self._workers.rss_mib("scoring")
            self.first = self.first or now
            self.peak = max(self.peak, now)

    def end(self) -> None:
        """Stop sampling."""
        self._ended.set()
        self.join()


def measure(system: BenchSystem, customers: int, events: int) -> MemoryFigures:
    """Score `events` events of `customers` customers with one process."""
    client = redis.Redis.from_url(system.stack["redis"])
    before = int(client.info("memory")["used_memory"])
    system.publisher.all(system.job.spread(events, customers))
    with system.reader() as reader, system.workers("scoring") as workers:
        sampler = MemorySampler(workers)
        sampler.start()
        reader.wait_for(TARGETS * events, patience_s=3600)
        time.sleep(2)  # the last commit
        sampler.end()
        held = int(client.info("memory")["used_memory"]) - before
        seconds = max(reader.last - reader.first, 0.001)
    return MemoryFigures(
        customers=customers,
        events=events,
        seconds=round(seconds, 1),
        events_per_s=round(events / seconds),
        worker_start_mib=round(sampler.first),
        worker_peak_mib=round(sampler.peak),
        redis_mib=round(held / 2**20),
        redis_bytes_per_customer=round(held / customers),
        largest_customer_bytes=_largest(client, system.prefix),
    )


def _largest(client: "redis.Redis", prefix: str) -> int:
    found = 0
    for number, key in enumerate(client.scan_iter(match=f"{prefix}*}}:[co]:*", count=1000)):
        found = max(found, int(client.strlen(key)))
        if number > SAMPLED_KEYS:
            break
    return found
