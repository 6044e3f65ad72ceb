"""Memory against the number of customers: the worker's and Redis'."""

import threading
import time
from dataclasses import dataclass

import redis

from load.bench.job import TARGETS
from load.bench.system import BenchSystem, BenchWorkers

SAMPLE_S = 0.5
LOOKED_AT = 10_000
"""Customers among whom the largest is looked for."""


@dataclass(frozen=True, slots=True)
class MemoryFigures:
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


class MemorySampler(threading.Thread):
    """The largest memory of a worker's scoring process, sampled."""

    def __init__(self, workers: BenchWorkers) -> None:
        super().__init__(daemon=True)
        self._workers = workers
        self._ended = threading.Event()
        self.first = self.peak = 0.0

    def run(self) -> None:
        """Until `end`."""
        while not self._ended.wait(SAMPLE_S):
            now = self._workers.rss_mib("scoring")
            self.first = self.first or now
            self.peak = max(self.peak, now)

    def end(self) -> None:
        """Stop sampling."""
        self._ended.set()
        self.join()


def measure(system: BenchSystem, customers: int, events: int) -> MemoryFigures:
    """So many events spread over so many customers, scored by one process."""
    client = redis.Redis.from_url(system.stack["redis"])
    before = int(client.info("memory")["used_memory"])
    system.publisher.all(system.job.spread(events, customers))
    with system.reader() as reader, system.workers("scoring") as workers:
        watch = MemorySampler(workers)
        watch.start()
        reader.wait_for(TARGETS * events, patience_s=3600)
        time.sleep(2)  # the last commit
        watch.end()
        held = int(client.info("memory")["used_memory"]) - before
        seconds = max(reader.last - reader.first, 0.001)
    return MemoryFigures(
        customers=customers,
        events=events,
        seconds=round(seconds, 1),
        events_per_s=round(events / seconds),
        worker_start_mib=round(watch.first),
        worker_peak_mib=round(watch.peak),
        redis_mib=round(held / 2**20),
        redis_bytes_per_customer=round(held / customers),
        largest_customer_bytes=_largest(client, system.prefix),
    )


def _largest(client: "redis.Redis", prefix: str) -> int:
    found = 0
    for number, key in enumerate(client.scan_iter(match=f"{prefix}*}}:[co]:*", count=1000)):
        found = max(found, int(client.strlen(key)))
        if number > LOOKED_AT:
            break
    return found
