"""The inputs of an estimate: the load, the machines and the prices."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from math import isfinite
from typing import Any

from schemas.topics import LABELLED_EXAMPLES, TOPICS
from streams.errors import SettingError

GIB = 1 << 30
LEAST, MOST = 1e-6, 1e15
"""The smallest value of an input that must be positive, and the largest value of any input. Sums of larger values are
not exact."""
MOST_TARGETS = TOPICS[LABELLED_EXAMPLES].count(1)


@dataclass(frozen=True, slots=True)
class ArmLoad:
    """An arm's model. kind: one of constants.MODEL_KINDS; times: a multiplier of the cost of such a model."""

    name: str
    kind: str
    times: int = 1


@dataclass(frozen=True, slots=True)
class TargetLoad:
    """A target.

    questions_per_event: questions that events ask. questions_per_customer_day: questions that the schedule asks.
    only_active: whether the schedule covers the active customers (`while_active`) or all. observe: share of the
    questions that become observations, for horizon_days. serve_every: examples between two served versions."""

    name: str
    arms: tuple[ArmLoad, ...]
    questions_per_event: float = 1.0
    questions_per_customer_day: float = 0.0
    only_active: bool = True
    observe: float = 1.0
    horizon_days: float = 14.0
    features: int = 20
    serve_every: float = 100.0


@dataclass(frozen=True, slots=True)
class Load:
    """The incoming records, and how long they are kept.

    events_per_s: mean over a day. peak_factor: the busiest minutes over that mean. event_bytes: an event's value in
    Avro. customers: ever seen. active_share: share of customers with events in the current period. customer_days: days
    since a customer's first event. features: number of declared ones. tick_seconds: between ticks of a partition.
    consumers: readers of predictions besides Tidecast's own. growth: factor by which the load may grow before a new
    log is needed, since partitions are fixed. hottest_share: the busiest customer's share of the events. *_days: how
    long records are kept."""

    events_per_s: float
    customers: float
    targets: tuple[TargetLoad, ...]
    peak_factor: float = 3.0
    active_share: float = 0.5
    customer_days: float = 365.0
    event_bytes: float = 84.0
    features: int = 20
    tick_seconds: float = 0.25
    consumers: float = 1.0
    growth: float = 4.0
    hottest_share: float = 0.0
    kafka_days: float = 30.0
    clickhouse_days: float = 365.0
    kafka_copies: int = 3
    redis_copies: int = 2
    clickhouse_copies: int = 1

    @property
    def progress_seconds(self) -> float:
        """Seconds between progress records of a partition: at least one (streams.scoring.predicting)."""
        return max(1.0, self.tick_seconds)

    def __post_init__(self) -> None:
        _check(self, "load", POSITIVE, SHARES)
        _at_least_one(self, "peak_factor", "growth", "kafka_copies", "redis_copies", "clickhouse_copies")
        if not 1 <= len(self.targets) <= MOST_TARGETS:
            raise SettingError(f"There are {len(self.targets)} targets; a log has room for 1 to {MOST_TARGETS}.")
        for target in self.targets:
            _check(target, f"target {target.name}", POSITIVE, SHARES)
            for arm in target.arms:
                _check(arm, f"arm {arm.name}", ("times",), ())
            if not target.arms:
                raise SettingError(f"Target {target.name} has no arm; give it one that answers.")

    def times(self, factor: float) -> "Load":
        """Return the load with `factor` times the events and customers.

        `serve_every` grows by the same factor. Otherwise the versions per second, which every scorer loads, would grow
        with the examples."""
        targets = tuple(replace(t, serve_every=t.serve_every * max(factor, 1.0)) for t in self.targets)
        share = self.hottest_share / max(factor, 1.0)  # the busiest customer stays as busy as before
        events, customers = self.events_per_s * factor, self.customers * factor
        return replace(self, events_per_s=events, customers=customers, targets=targets, hottest_share=share)


@dataclass(frozen=True, slots=True)
class Hardware:
    """Machines for brokers and ClickHouse, and the most data of one Redis. cache_customers: a setting."""

    node_cores: float = 8.0
    node_disk_bytes: float = 4e12
    redis_shard_bytes: float = 16.0 * GIB
    cache_customers: int = 50_000

    def __post_init__(self) -> None:
        _check(self, "hardware", ("node_cores", "node_disk_bytes", "redis_shard_bytes"), ())


@dataclass(frozen=True, slots=True)
class Prices:
    """Example prices, not a vendor's, in any currency: set your own. A GB is 10^9 bytes, a month 730 hours."""

    core_hour: float = 0.04
    memory_gb_month: float = 3.0
    disk_gb_month: float = 0.10

    def __post_init__(self) -> None:
        _check(self, "prices", (), ())


POSITIVE = (
    *("events_per_s", "customers", "active_share", "customer_days", "event_bytes", "features", "tick_seconds"),
    *("kafka_days", "clickhouse_days", "horizon_days", "serve_every"),
)
SHARES = ("active_share", "hottest_share", "observe")


def _check(given: Any, what: str, positive: tuple[str, ...], shares: tuple[str, ...]) -> None:
    values: Mapping[str, Any] = {each.name: getattr(given, each.name) for each in fields(given)}
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            continue
        least = LEAST if name in positive else 0
        if not isfinite(value) or not least <= value <= MOST:
            raise SettingError(f"{what}: {name} is {value:g}; give a number from {least:g} to {MOST:g}.")
        if name in shares and value > 1:
            raise SettingError(f"{what}: {name} is {value}; it is a share, 1 at most.")


def _at_least_one(given: Any, *names: str) -> None:
    for name in names:
        if getattr(given, name) < 1:
            raise SettingError(f"load: {name} is {getattr(given, name)}; give 1 or more.")
