"""Computes cores, workers, partitions, bytes and money for a load."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil

from agents.sizing import cpu
from agents.sizing.constants import Constants
from agents.sizing.load import Hardware, Load, Prices
from agents.sizing.rates import DAY_S, open_observations, rates
from agents.sizing.storage import (
    RedisBytes,
    Traffic,
    clickhouse_bytes,
    clickhouse_bytes_per_day,
    kafka_traffic,
    redis_bytes,
)
from streams.scoring.model_cache import ROOM

MONTH_DAYS = 730 / 24
MOST_PARTITIONS = 1024
"""The maximum of `tidecast deploy --partitions`."""
FEWEST_PARTITIONS = 4


@dataclass(frozen=True, slots=True)
class Money:
    """Money per month, in the currency of the prices; and per million events at the mean rate."""

    cores: float
    memory: float
    disk: float
    per_million_events: float

    @property
    def per_month(self) -> float:
        """The sum per month."""
        return self.cores + self.memory + self.disk


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a load needs. Rates are means unless named peak; bytes are of one copy unless named disk.

    cores: busy at the peak, per stage or server.
    work: the cores without the fixed cost of small batches.
    workers: processes, each with at most one core, sized with headroom.
    busiest_learner: (name of the arm that needs most CPU, cores it needs). A learner can use one core.
    scorer_versions_cores: cores that each scorer spends on loading versions.
    workers_possible: False where even one scorer per partition cannot keep up."""

    load: Load
    events_per_s: float
    peak_events_per_s: float
    predictions_per_s: float
    examples_per_s: float
    versions_per_s: float
    open_observations: float
    cores: Mapping[str, float]
    work: Mapping[str, float]
    workers: Mapping[str, int]
    worker_bytes: Mapping[str, float]
    partitions: int
    events_per_s_per_scorer: float
    scorer_versions_cores: float
    busiest_learner: tuple[str, float]
    workers_possible: bool
    redis: RedisBytes
    redis_shards: int
    kafka: Traffic
    kafka_peak: Traffic
    kafka_disk_bytes: float
    brokers: int
    clickhouse_rows_per_s: float
    clickhouse_bytes_per_day: Mapping[str, float]
    clickhouse_bytes: float
    clickhouse_disk_bytes: float
    clickhouse_shards: int
    cores_with_headroom: float
    memory_bytes: float
    disk_bytes: float
    money: Money


def estimate(
    load: Load, constants: Constants, hardware: Hardware | None = None, prices: Prices | None = None
) -> Estimate:
    """Compute all formulas of docs/sizing.md. CPU and traffic are sized for the peak, storage for the mean."""
    return _Sizing(load, constants, hardware or Hardware(), prices or Prices()).estimate()


class _Sizing:
    """Computes one estimate step by step: later steps use the results of earlier ones."""

    def __init__(self, load: Load, constants: Constants, hardware: Hardware, prices: Prices) -> None:
        self.load, self.c, self.hardware, self.prices = load, constants, hardware, prices
        self.mean, self.peak = rates(load), rates(load, peak=True)
        self.usable = 1 - constants.headroom_share
        self._scorers()
        self.work = self._work()
        self.workers = self._workers()
        self.cores = self._busy()

    def _scorers(self) -> None:
        """Compute scorers and partitions.

        Loading versions takes a part of each scorer's core that does not shrink with more scorers. It may take at most
        half of the usable core."""
        self.versions_cores = cpu.version_cores(self.peak, self.c)
        room = max(self.usable - self.versions_cores, self.usable / 2)
        shared = cpu.scoring_cores(self.load, self.peak, self.c)
        self.partitions = _partitions(ceil(shared / room) * self.load.growth)
        shared += cpu.control_cores(self.load, self.peak, self.c, self.partitions)
        self.scorers = max(1, ceil(shared / room))
        self.partitions = max(self.partitions, _partitions(self.scorers))
        self.shared_cores = shared
        self.per_scorer = self.peak.events * room / shared

    def _busy(self) -> dict[str, float]:
        """Return the work plus the cost of small batches in workers with little to do."""
        live = min(1.0, self.peak.events / cpu.LIVELY)
        shares = cpu.small_batches(self.c)
        spare = {stage: max(0.0, self.workers[stage] - self.work[stage]) for stage in shares}
        return self.work | {stage: self.work[stage] + live * shares[stage] * spare[stage] for stage in shares}

    def _work(self) -> dict[str, float]:
        load, peak, c, count = self.load, self.peak, self.c, self.partitions
        return {
            "scoring": self.shared_cores + self.scorers * self.versions_cores,
            "learning": sum(cores for _, cores in self.learners),
            "judging, monitoring": cpu.judging_cores(load, peak, c, count) + cpu.monitoring_cores(load, peak, c, count),
            "history": cpu.history_cores(load, peak, c, count),
            "Kafka": cpu.kafka_cores(load, peak, c, count),
            "Redis": cpu.redis_cores(peak, c) * load.redis_copies,
            "ClickHouse": cpu.clickhouse_cores(load, peak, c, count),
        }

    @property
    def learners(self) -> list[tuple[str, float]]:
        """Return target and arm of each learner, with its cores."""
        return [
            (f"{t.target.name}/{arm.name}", cpu.learner_cores(t, arm, self.load, self.c, self.partitions))
            for t in self.peak.targets
            for arm in t.target.arms
        ]

    def _workers(self) -> dict[str, int]:
        arms = len(self.learners)
        most = {"learning": arms, "judging, monitoring": len(self.load.targets) + self.partitions}
        found = {"scoring": self.scorers}
        for stage in ("learning", "judging, monitoring", "history"):
            wanted = max(1, ceil(self.work[stage] / self.usable))
            found[stage] = min(wanted, most.get(stage, wanted))
        return found

    def _worker_bytes(self) -> dict[str, float]:
        active = ceil(self.load.customers * self.load.active_share / self.scorers)
        cached = min(active, self.hardware.cache_customers) * self.c.worker_bytes_per_cached_customer
        scorer = self.c.worker_base_bytes + ROOM + cached
        return {stage: scorer if stage == "scoring" else self.c.worker_base_bytes for stage in self.workers}

    def estimate(self) -> Estimate:
        """Return the whole estimate."""
        load, c, count = self.load, self.c, self.partitions
        kept = redis_bytes(load, self.mean, c, count)
        per_core = self.usable * self.hardware.node_cores
        shards = max(1, ceil(kept.total / self.hardware.redis_shard_bytes), ceil(self._redis_busy() / self.usable))
        traffic = kafka_traffic(load, self.mean, c, count)
        kafka_disk = traffic.written * DAY_S * load.kafka_days * load.kafka_copies
        brokers = max(load.kafka_copies, ceil(self.cores["Kafka"] / per_core), self._disks(kafka_disk))
        per_day = clickhouse_bytes_per_day(load, self.mean, c)
        clickhouse = clickhouse_bytes(load, per_day)
        copy_cores = self.cores["ClickHouse"] / load.clickhouse_copies
        click_shards = max(1, ceil(copy_cores / per_core), self._disks(clickhouse))
        memory = self._memory(kept, shards, brokers, click_shards * load.clickhouse_copies)
        disk = (kafka_disk + clickhouse * load.clickhouse_copies + kept.total * load.redis_copies) / self.usable
        cores = max(sum(self.work.values()) / self.usable, sum(self.cores.values()))
        return Estimate(
            load=load,
            events_per_s=self.mean.events,
            peak_events_per_s=self.peak.events,
            predictions_per_s=self.mean.questions,
            examples_per_s=self.mean.examples,
            versions_per_s=self.mean.versions,
            open_observations=sum(open_observations(load, t) for t in self.mean.targets),
            cores=self.cores,
            work=self.work,
            workers=self.workers,
            worker_bytes=self._worker_bytes(),
            partitions=count,
            events_per_s_per_scorer=self.per_scorer,
            scorer_versions_cores=self.versions_cores,
            busiest_learner=max(self.learners, key=lambda item: item[1]),
            workers_possible=self.scorers <= MOST_PARTITIONS,
            redis=kept,
            redis_shards=shards,
            kafka=traffic,
            kafka_peak=kafka_traffic(load, self.peak, c, count),
            kafka_disk_bytes=kafka_disk,
            brokers=brokers,
            clickhouse_rows_per_s=cpu.rows(load, self.mean, count),
            clickhouse_bytes_per_day=per_day,
            clickhouse_bytes=clickhouse,
            clickhouse_disk_bytes=clickhouse * load.clickhouse_copies,
            clickhouse_shards=click_shards,
            cores_with_headroom=cores,
            memory_bytes=memory,
            disk_bytes=disk,
            money=self._money(cores, memory, disk),
        )

    def _redis_busy(self) -> float:
        """Return the cores of the masters."""
        return self.cores["Redis"] / self.load.redis_copies

    def _disks(self, size: float) -> int:
        return ceil(size / (self.hardware.node_disk_bytes * self.usable))

    def _memory(self, kept: RedisBytes, shards: int, brokers: int, clickhouses: int) -> float:
        """Return Redis's memory with headroom: rewriting its file copies what changes meanwhile."""
        workers = self._worker_bytes()
        processes = sum(self.workers[stage] * size for stage, size in workers.items())
        redis = (kept.total / self.usable + shards * self.c.redis_base_bytes) * self.load.redis_copies
        servers = brokers * self.c.kafka_base_bytes + clickhouses * self.c.clickhouse_base_bytes
        return processes + redis + servers + self.c.registry_base_bytes

    def _money(self, cores: float, memory: float, disk: float) -> Money:
        for_cores = cores * self.prices.core_hour * MONTH_DAYS * 24
        for_memory = memory / 1e9 * self.prices.memory_gb_month
        for_disk = disk / 1e9 * self.prices.disk_gb_month
        events = self.mean.events * DAY_S * MONTH_DAYS
        return Money(for_cores, for_memory, for_disk, (for_cores + for_memory + for_disk) / events * 1e6)


def _partitions(wanted: float) -> int:
    """Return the least power of two from 4 to 1,024 that is enough."""
    count = FEWEST_PARTITIONS
    while count < wanted and count < MOST_PARTITIONS:
        count *= 2
    return count
