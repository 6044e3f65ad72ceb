"""Computes bytes in Redis, Kafka and ClickHouse."""

from dataclasses import dataclass

from agents.sizing.constants import Constants
from agents.sizing.cpu import controls
from agents.sizing.load import Load
from agents.sizing.rates import DAY_S, Rates, TargetRates, digests, open_observations

KEPT_DAYS = {"records": 1825.0, "events": 1825.0, "predictions": 730.0, "labelled_examples": 1825.0}
"""Table → days that it keeps a row at most (sinks/clickhouse/migrations)."""


@dataclass(frozen=True, slots=True)
class RedisBytes:
    """Bytes in Redis, one copy."""

    customers: float
    observations: float
    partitions: float

    @property
    def total(self) -> float:
        """The sum."""
        return self.customers + self.observations + self.partitions


def redis_bytes(load: Load, r: Rates, c: Constants, partitions: int) -> RedisBytes:
    """Return what the load keeps in Redis once it has run for a horizon."""
    each = c.redis_bytes_per_customer + load.features * c.redis_bytes_per_feature
    each += digests(load) * c.redis_bytes_per_digest
    waiting = sum(open_observations(load, t) * observation_bytes(t, c) for t in r.targets)
    return RedisBytes(load.customers * each, waiting, partitions * c.redis_bytes_per_partition)


def observation_bytes(t: TargetRates, c: Constants) -> float:
    """Return the bytes of an open observation."""
    vector = t.target.features * c.redis_bytes_per_observed_feature
    return c.redis_bytes_per_open_observation + vector + len(t.target.arms) * c.redis_bytes_per_observed_answer


@dataclass(frozen=True, slots=True)
class Traffic:
    """Bytes per second in Kafka. `events`, `predictions` and so on are written once, before replication."""

    events: float
    predictions: float
    examples: float
    controls: float
    read: float

    @property
    def written(self) -> float:
        """Bytes per second that producers write."""
        return self.events + self.predictions + self.examples + self.controls


def kafka_traffic(load: Load, r: Rates, c: Constants, partitions: int) -> Traffic:
    """Return the traffic of the given rates, means or peak."""
    events = r.events * (load.event_bytes + c.kafka_bytes_per_record)
    predictions = sum(t.questions * (_record(t, c) + c.kafka_bytes_per_prediction) for t in r.targets)
    examples = [(t, t.examples * (_record(t, c) + c.kafka_bytes_per_example)) for t in r.targets]
    told = controls(load, r, partitions) * (c.kafka_bytes_per_control + c.kafka_bytes_per_record)
    read = 2 * events + (2 + load.consumers) * predictions + 2 * told
    read += sum(size * (2 + len(t.target.arms)) for t, size in examples)
    return Traffic(events, predictions, sum(size for _, size in examples), told, read)


def _record(t: TargetRates, c: Constants) -> float:
    """Return the bytes that a prediction and an example have in common."""
    vector = t.target.features * c.kafka_bytes_per_feature
    return c.kafka_bytes_per_record + vector + len(t.target.arms) * c.kafka_bytes_per_answer


def clickhouse_bytes_per_day(load: Load, r: Rates, c: Constants) -> dict[str, float]:
    """Return bytes per second by table, one copy. Ticks (kept for a week) and progress (replaced) are not counted."""
    return {
        "records": r.events * c.clickhouse_bytes_per_row_records * DAY_S,
        "events": r.events * c.clickhouse_bytes_per_row_events * DAY_S,
        "predictions": DAY_S
        * sum(t.questions * (c.clickhouse_bytes_per_row_predictions + _row(t, c)) for t in r.targets),
        "labelled_examples": DAY_S
        * sum(t.examples * (c.clickhouse_bytes_per_row_labelled_examples + _row(t, c)) for t in r.targets),
    }


def _row(t: TargetRates, c: Constants) -> float:
    vector = t.target.features * c.clickhouse_bytes_per_feature
    return vector + len(t.target.arms) * c.clickhouse_bytes_per_answer


def clickhouse_bytes(load: Load, per_day: dict[str, float]) -> float:
    """Return the bytes of one copy once the history has reached its full age."""
    return sum(size * min(load.clickhouse_days, KEPT_DAYS[table]) for table, size in per_day.items())
