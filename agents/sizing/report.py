"""Formats an estimate as rows of text, for tables in a terminal and in the document."""

from collections.abc import Sequence

from agents.sizing.estimate import Estimate
from agents.sizing.load import Load

UNITS = ((1e15, "PB"), (1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB"))

Row = tuple[str, ...]


def size(value: float) -> str:
    """Format bytes in decimal units with three significant digits."""
    for unit, name in UNITS:
        if value >= unit:
            return f"{_short(value / unit)} {name}"
    return f"{_short(value)} B"


def count(value: float) -> str:
    """Format a number with three significant digits, and thousands with commas."""
    return f"{value:,.0f}" if value >= 100 else _short(value)


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def summary(load: Load, found: Estimate) -> str:
    """Return the load in one paragraph."""
    arms = sum(len(target.arms) for target in load.targets)
    return (
        f"{count(found.events_per_s)} events/s (peak {count(found.peak_events_per_s)}), "
        f"{load.customers:,.0f} customers, "
        f"{_some(len(load.targets), 'target')} with {_some(arms, 'arm')}, {_some(load.features, 'feature')}\n"
        f"→ {count(found.predictions_per_s)} predictions/s, {count(found.examples_per_s)} labelled examples/s, "
        f"{count(found.versions_per_s)} versions/s, {found.open_observations:,.0f} open observations"
    )


COMPUTE_HEADS: Row = ("part", "cores busy at the peak", "processes", "memory each")


def compute_rows(found: Estimate) -> list[Row]:
    """Return one row per stage and server."""
    load = found.load
    machines = {
        "Kafka": _some(found.brokers, "broker"),
        "Redis": _shards(found.redis_shards, load.redis_copies),
        "ClickHouse": _shards(found.clickhouse_shards, load.clickhouse_copies),
    }
    rows: list[Row] = []
    for part, cores in found.cores.items():
        if part in found.workers:
            workers = found.workers[part]
            rows.append((part, _short(cores), _some(workers, "worker"), size(found.worker_bytes[part])))
        else:
            rows.append((part, _short(cores), machines[part], ""))
    return rows


def _shards(shards: int, copies: int) -> str:
    return _some(shards, "shard") + (f" × {copies}" if copies > 1 else "")


def _some(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


STORAGE_HEADS: Row = ("kept", "per day", "in all, one copy", "copies")


def storage_rows(found: Estimate) -> list[Row]:
    """Return one row per kind of data in Redis, Kafka and ClickHouse."""
    load, day = found.load, 86_400
    kafka, redis = found.kafka, found.redis
    rows: list[Row] = [
        ("Redis: customers", "", size(redis.customers), str(load.redis_copies)),
        ("Redis: open observations", "", size(redis.observations), str(load.redis_copies)),
    ]
    parts = {
        "events": kafka.events,
        "predictions": kafka.predictions,
        "examples": kafka.examples,
        "controls": kafka.controls,
    }
    for name, rate in parts.items():
        total = rate * day * load.kafka_days
        rows.append((f"Kafka: {name}, {load.kafka_days:g} days", size(rate * day), size(total), str(load.kafka_copies)))
    total = found.clickhouse_bytes
    per_day = sum(found.clickhouse_bytes_per_day.values())
    rows.append((f"ClickHouse, {load.clickhouse_days:g} days", size(per_day), size(total), str(load.clickhouse_copies)))
    return rows


def totals(found: Estimate) -> str:
    """Return lines on partitions, traffic, sums and money."""
    money = found.money
    return (
        f"customer-events: {found.partitions} partitions; a scorer processes {count(found.events_per_s_per_scorer)} "
        f"events/s with headroom\n"
        f"Kafka at the peak: {size(found.kafka_peak.written)}/s written, {size(found.kafka_peak.read)}/s read; "
        f"ClickHouse: {count(found.clickhouse_rows_per_s)} rows/s\n"
        f"with headroom: {_short(found.cores_with_headroom)} cores, {size(found.memory_bytes)} of memory, "
        f"{size(found.disk_bytes)} of disk\n"
        f"money: {count(money.per_month)} a month: {count(money.cores)} for cores, {count(money.memory)} for memory, "
        f"{count(money.disk)} for disks; {_short(money.per_million_events)} per million events"
    )


def comparison(estimates: Sequence[tuple[float, Estimate]]) -> tuple[Row, list[Row]]:
    """Return the header and rows of the comparison: one column per multiple."""
    heads = ("", *(f"{factor:g}×" for factor, _ in estimates))
    all_of = [found for _, found in estimates]

    def row(name: str, *values: str) -> Row:
        return (name, *values)

    rows = [
        row("events/s, mean", *(count(e.events_per_s) for e in all_of)),
        row("customers", *(f"{e.load.customers:,.0f}" for e in all_of)),
        row("scoring workers", *(f"{e.workers['scoring']:,}" for e in all_of)),
        row("other workers", *(f"{sum(e.workers.values()) - e.workers['scoring']:,}" for e in all_of)),
        row("partitions", *(f"{e.partitions:,}" for e in all_of)),
        row("busiest learner, cores of one", *(_short(e.busiest_learner[1]) for e in all_of)),
        row("Redis, one copy", *(size(e.redis.total) for e in all_of)),
        row("Redis shards", *(f"{e.redis_shards:,}" for e in all_of)),
        row("Kafka, all copies", *(size(e.kafka_disk_bytes) for e in all_of)),
        row("Kafka written/s at the peak", *(size(e.kafka_peak.written) for e in all_of)),
        row("brokers", *(f"{e.brokers:,}" for e in all_of)),
        row("ClickHouse, one copy", *(size(e.clickhouse_bytes) for e in all_of)),
        row("ClickHouse shards", *(f"{e.clickhouse_shards:,}" for e in all_of)),
        row("cores with headroom", *(_short(e.cores_with_headroom) for e in all_of)),
        row("memory", *(size(e.memory_bytes) for e in all_of)),
        row("money per million events", *(_short(e.money.per_million_events) for e in all_of)),
    ]
    return heads, rows
