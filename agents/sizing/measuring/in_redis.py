"""Measures the bytes of customers in a running Redis, and a scorer's CPU for its client."""

import time
from collections.abc import Mapping, Sequence
from statistics import median
from time import thread_time
from typing import Any

import redis

from agents.sizing.measuring.job import FEW, MANY, PLACE, Job, JobReplay
from sinks.redis.scoring_store import RedisScoringStore
from streams.features.customer_state import DIGEST
from streams.replay import replay
from streams.state.memory import MemoryScoringStore
from streams.state.store import PartitionCommit, Positions, ScoringStore
from streams.targets.observations import Observations

PREFIX = "tidecast-sizing."
EVENTS = 20_000
MANY_CUSTOMERS = 20_000
FEW_CUSTOMERS = 1_000
BATCH = 1_000
ROUNDS = 3
FREED_S = 0.01
"""Between two looks whether Redis has freed what was deleted."""


def redis_constants(client: redis.Redis, answer: float) -> dict[str, float]:
    """Return bytes and microseconds by constant, as medians. `answer`: bytes of an arm's answer in an observation."""
    rounds = [_round(client, answer) for _ in range(ROUNDS)]
    return {name: median(found[name] for found in rounds) for name in rounds[0]}


def _round(client: redis.Redis, answer: float) -> dict[str, float]:
    once = {
        features: _kept(client, Job(features, customers=MANY_CUSTOMERS, events=EVENTS, every="7d"))
        for features in (FEW, MANY)
    }
    often = {features: _kept(client, Job(features, customers=FEW_CUSTOMERS, events=EVENTS)) for features in (FEW, MANY)}
    each = once[FEW] - (once[MANY] - once[FEW]) * FEW / (MANY - FEW)
    asked = _grown(client, Job(observe=1.0, customers=MANY_CUSTOMERS, events=EVENTS))
    opened = (asked - _grown(client, Job(customers=MANY_CUSTOMERS, events=EVENTS))) / _open_observations(MANY_CUSTOMERS)
    return {
        "redis_bytes_per_partition": _partition(client),
        "redis_bytes_per_customer": each - DIGEST * EVENTS / _customers(MANY_CUSTOMERS),
        "redis_bytes_per_feature": (often[MANY] - often[FEW]) / (MANY - FEW),
        "redis_bytes_per_open_observation": opened - answer - 8 * MANY,
        "scoring_cpu_us_per_customer": _client_cpu_us(client),
    }


def _store(client: redis.Redis) -> RedisScoringStore:
    return RedisScoringStore(client, time.time_ns(), PREFIX)


def _used(client: redis.Redis) -> int:
    """Return Redis's used bytes without buffers, once Redis has freed what was deleted."""
    while (found := client.info("memory"))["lazyfree_pending_objects"]:
        time.sleep(FREED_S)
    return int(found["used_memory"]) - int(found["mem_aof_buffer"]) - int(found["mem_clients_normal"])


def _grown(client: redis.Redis, job: Job) -> float:
    """Return the bytes by which Redis grows with the job's log, in which no time passes."""
    replayed, store, before = JobReplay(job), _store(client), _used(client)
    _work(replayed, store)
    grown = _used(client) - before
    store.clear([0])
    return grown


def _kept(client: redis.Redis, job: Job) -> float:
    """Return the bytes per customer."""
    return _grown(client, job) / _customers(job.customers)


def _customers(among: int) -> int:
    """Return how many of the customers have events in the job."""
    return len({record.key for record in JobReplay(Job(customers=among, events=EVENTS)).log() if record.key})


def _open_observations(customers: int) -> int:
    """Return how many observations stay open in the job: those of each customer's last day."""
    store = MemoryScoringStore()
    _work(JobReplay(Job(observe=1.0, customers=customers, events=EVENTS)), store)
    kept = store.load({0: store.customers([0])[0]})[0].values()
    return sum(len(Observations.unpack(one.observations).waiting) for one in kept)


def _work(replayed: JobReplay, store: ScoringStore) -> None:
    for _ in replay(replayed.scoring(store), {PLACE: replayed.log()}):
        pass


def _partition(client: redis.Redis) -> float:
    """Return the bytes of position, header and timers of a partition with one customer."""
    store = _store(client)
    _work(JobReplay(Job(events=1, every="7d")), store)
    keys = [key for key in client.scan_iter(match=f"{PREFIX}*") if b":c:" not in key and b":o:" not in key]
    found = sum(int(client.memory_usage(key) or 0) for key in keys)
    store.clear([0])
    return float(found)


class _Timed(RedisScoringStore):
    """A store that measures the thread's CPU for reading and committing customers."""

    cpu_s = 0.0

    def load(self, wanted: Mapping[int, Sequence[str]], at: Positions | None = None) -> Mapping[int, Any]:
        """See ScoringStore."""
        began = thread_time()
        found = super().load(wanted, at)
        self.cpu_s += thread_time() - began
        return found

    def commit(self, commits: Sequence[PartitionCommit]) -> None:
        """See ScoringStore."""
        began = thread_time()
        super().commit(commits)
        self.cpu_s += thread_time() - began


def _client_cpu_us(client: redis.Redis) -> float:
    """Return the CPU per customer without a cache, in batches of a thousand events of almost as many customers."""
    replayed, store = JobReplay(Job(customers=MANY_CUSTOMERS, events=EVENTS)), _Timed(client, time.time_ns(), PREFIX)
    touched = 0
    for start in range(0, len(log := replayed.log()), BATCH):
        touched += len({record.key for record in log[start : start + BATCH]})
    for _ in replay(replayed.scoring(store, kept=0), {PLACE: log}, BATCH):
        pass
    store.clear([0])
    return 1e6 * store.cpu_s / touched
