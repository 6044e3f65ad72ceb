"""Advice on an estimate: what does not work, and what must change when the load grows."""

from agents.sizing.constants import Constants
from agents.sizing.estimate import MOST_PARTITIONS, Estimate
from agents.sizing.load import GIB, Hardware
from agents.stages import STAGES
from schemas.topics import TOPICS

MOST_PER_BROKER = 4_000
"""Partitions, copies included, that a broker carries easily. A common rule of thumb, not measured here."""


def unsized(found: Estimate) -> list[str]:
    """Return the stages that the estimate leaves out, because `agents.sizing.cpu` has no constants of theirs."""
    sized = {name for process in found.workers for name in process.split(", ")}
    return [name for name in STAGES if name not in sized]


def limits(found: Estimate, constants: Constants) -> list[str]:
    """Return what more machines cannot solve, one sentence each with the remedy."""
    return [*_scorers(found, constants), *_learners(found, constants), *_customers(found)]


def _scorers(found: Estimate, constants: Constants) -> list[str]:
    notes = []
    if not found.workers_possible:
        notes.append(
            f"{found.workers['scoring']:,} scorers are needed and a log has {MOST_PARTITIONS:,} partitions at most, "
            "with one scorer each: divide the customers among several systems (TIDECAST_TOPIC_PREFIX)."
        )
    usable = 1 - constants.headroom_share
    if found.scorer_versions_cores > usable / 2:
        factor = found.scorer_versions_cores / (usable / 2)
        notes.append(
            f"Loading {found.versions_per_s:,.3g} versions a second on average takes {found.scorer_versions_cores:.0%} "
            f"of a core of every scorer at the peak: raise serve_every {factor:.3g} times, the estimate counts on that."
        )
    return notes


def _learners(found: Estimate, constants: Constants) -> list[str]:
    """Advise on arms that need more than one core: an arm learns in one process."""
    name, cores = found.busiest_learner
    usable = 1 - constants.headroom_share
    if cores <= usable:
        return []
    return [
        f"The learner of {name} needs {cores:.2f} cores at the peak and has one, as an arm learns in the log's "
        f"order: observe {usable / cores:.2g} times as many questions (observe=), or declare a cheaper model."
    ]


def _customers(found: Estimate) -> list[str]:
    """Advise on the busiest customer: its events have one order, and so one partition and one core."""
    hottest = found.load.hottest_share * found.peak_events_per_s
    if hottest <= found.events_per_s_per_scorer:
        return []
    return [
        f"The busiest customer has {hottest:,.0f} events/s at the peak and one scorer processes "
        f"{found.events_per_s_per_scorer:,.0f}: no number of partitions helps; aggregate its events before they are "
        "published, or give it several ids."
    ]


def changes(now: Estimate, then: Estimate, hardware: Hardware) -> list[str]:
    """Return what must be done to grow from `now` to `then`."""
    notes = [_log(now, then)]
    if then.redis_shards > 1:
        notes.append(
            f"Redis: {then.redis.total / GIB:,.0f} GiB and {then.redis_shards:,} shards: a Redis Cluster. The keys "
            "are ready for it (one hash tag per partition); the client is not: it takes one address."
        )
    if then.brokers > now.brokers:
        notes.append(f"Kafka: {then.brokers:,} brokers instead of {now.brokers}; move partitions to the new ones.")
    all_topics = sum(topic.count(then.partitions) for topic in TOPICS.values()) * then.load.kafka_copies
    if all_topics / then.brokers > MOST_PER_BROKER:
        notes.append(
            f"Kafka: {all_topics:,} partitions with their copies are many for {then.brokers} brokers: add some."
        )
    if then.clickhouse_shards > 1:
        notes.append(
            f"ClickHouse: {then.clickhouse_shards:,} shards with disks of {hardware.node_disk_bytes / 1e12:.3g} TB: a "
            "cluster with Distributed tables over ours; the migrations make tables of one server for now."
        )
    return notes


def _log(now: Estimate, then: Estimate) -> str:
    workers = then.workers["scoring"]
    if workers <= now.partitions:
        return f"Scoring: {workers} workers on the {now.partitions} partitions that are there: start them."
    if not then.workers_possible:
        return f"Scoring: {workers:,} workers, more than a log can feed: several systems, each with its customers."
    return (
        f"Scoring: {workers:,} workers, and {now.partitions} partitions feed {now.partitions}: a new log of "
        f"{then.partitions:,} partitions (another TIDECAST_TOPIC_PREFIX), into which the history is published again."
    )
