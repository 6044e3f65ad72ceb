"""What an estimate means: what does not work as asked, and what changes when the load grows."""

from agents.sizing.constants import Constants
from agents.sizing.estimate import MOST_PARTITIONS, Estimate
from agents.sizing.load import GIB, Hardware
from schemas.topics import TOPICS

MOST_PER_BROKER = 4_000
"""Partitions, with their copies, that a broker carries without care, by common experience: not measured here."""


def limits(found: Estimate, constants: Constants) -> list[str]:
    """What cannot be met by more machines, one sentence each with the remedy."""
    return [*_scorers(found, constants), *_learners(found, constants), *_customers(found)]


def _scorers(found: Estimate, constants: Constants) -> list[str]:
    told = []
    if not found.workers_possible:
        told.append(
            f"{found.workers['scoring']:,} scorers are needed and a log has {MOST_PARTITIONS:,} partitions at most, "
            "with one scorer each: divide the customers among several systems (TIDECAST_TOPIC_PREFIX)."
        )
    usable = 1 - constants.headroom_share
    if found.scorer_versions_cores > usable / 2:
        factor = found.scorer_versions_cores / (usable / 2)
        told.append(
            f"Loading {found.versions_per_s:,.3g} versions a second on average takes {found.scorer_versions_cores:.0%} "
            f"of a core of every scorer at the peak: raise serve_every {factor:.3g} times, the estimate counts on that."
        )
    return told


def _learners(found: Estimate, constants: Constants) -> list[str]:
    """An arm learns in one process, whatever else is there."""
    name, cores = found.busiest_learner
    usable = 1 - constants.headroom_share
    if cores <= usable:
        return []
    return [
        f"The learner of {name} needs {cores:.2f} cores at the peak and has one, as an arm learns in the log's "
        f"order: observe {usable / cores:.2g} times as many questions (observe=), or declare a cheaper model."
    ]


def _customers(found: Estimate) -> list[str]:
    """A customer's events have one order, so one partition and one core."""
    hottest = found.load.hottest_share * found.peak_events_per_s
    if hottest <= found.events_per_s_per_scorer:
        return []
    return [
        f"The busiest customer has {hottest:,.0f} events/s at the peak and one scorer works off "
        f"{found.events_per_s_per_scorer:,.0f}: no number of partitions helps; aggregate its events before they are "
        "published, or give it several ids."
    ]


def changes(now: Estimate, then: Estimate, hardware: Hardware) -> list[str]:
    """What must be done on the way from `now` to `then`."""
    told = [_log(now, then)]
    if then.redis_shards > 1:
        told.append(
            f"Redis: {then.redis.total / GIB:,.0f} GiB and {then.redis_shards:,} shards: a Redis Cluster. The keys "
            "are ready for it (one hash tag per partition), the client is not: one address for now."
        )
    if then.brokers > now.brokers:
        told.append(f"Kafka: {then.brokers:,} brokers instead of {now.brokers}, partitions moved to the new ones.")
    all_topics = sum(topic.count(then.partitions) for topic in TOPICS.values()) * then.load.kafka_copies
    if all_topics / then.brokers > MOST_PER_BROKER:
        told.append(
            f"Kafka: {all_topics:,} partitions with their copies are many for {then.brokers} brokers: add some."
        )
    if then.clickhouse_shards > 1:
        told.append(
            f"ClickHouse: {then.clickhouse_shards:,} shards with disks of {hardware.node_disk_bytes / 1e12:.3g} TB: a "
            "cluster with Distributed tables over ours; the migrations make tables of one server for now."
        )
    return told


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
