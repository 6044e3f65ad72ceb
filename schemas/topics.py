"""The topics of Tidecast, as data. Names are logical: clients add the system's prefix."""

from dataclasses import dataclass

from schemas.records import (
    DEAD_LETTER,
    DEPLOYMENT,
    DRIFT_ALERT,
    FEATURE_PROFILE,
    LABELLED_EXAMPLE,
    LATE_EVENT,
    MODEL_METRIC,
    OUTCOME,
    PAUSE,
    PREDICTION,
    PROGRESS,
    SKIP,
    SWITCH,
    TICK,
)

CUSTOMER_EVENTS = "customer-events"
PREDICTIONS = "predictions"
LABELLED_EXAMPLES = "labelled-examples"
MODEL_METRICS = "model-metrics"
DRIFT_ALERTS = "drift-alerts"
FEATURE_PROFILES = "feature-profiles"
LATE_EVENTS = "late-events"
DEAD_LETTERS = "dead-letters"
DEPLOYMENTS = "deployments"

DEFAULT_PARTITIONS = 4
"""Default number of partitions of customer-events."""

MOST_TARGETS = 16
"""Most targets of a log: each has a partition of labelled-examples of its own, for ever."""

FOREVER = -1
DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic.

    name: without a system's prefix.
    key: what the record key holds, in words (UTF-8 text); control records have a null key.
    records: full names of our records that lie on it; customer-events also holds the use case's events.
    partitions: their number; None means as many as customer-events has.
    retention_ms: how long records are kept, -1 for ever.
    compact: keep the last record per key instead of a span of time."""

    name: str
    key: str
    records: tuple[str, ...]
    partitions: int | None
    retention_ms: int = FOREVER
    compact: bool = False

    def count(self, partitions: int) -> int:
        """Return the number of partitions where customer-events has `partitions`."""
        return partitions if self.partitions is None else self.partitions


TOPICS: dict[str, Topic] = {
    topic.name: topic
    for topic in (
        Topic(CUSTOMER_EVENTS, "customer id", (OUTCOME, TICK, PAUSE, SWITCH, DEPLOYMENT), None),
        Topic(PREDICTIONS, "customer id", (PREDICTION, PROGRESS), None),
        Topic(LABELLED_EXAMPLES, "target", (LABELLED_EXAMPLE, PROGRESS, DEPLOYMENT), MOST_TARGETS),
        Topic(MODEL_METRICS, "target", (MODEL_METRIC,), 1, 365 * DAY_MS),
        Topic(DRIFT_ALERTS, "alert id", (DRIFT_ALERT,), 1),
        Topic(FEATURE_PROFILES, "source partition", (FEATURE_PROFILE,), 1),
        Topic(LATE_EVENTS, "customer id", (LATE_EVENT,), None, 90 * DAY_MS),
        Topic(DEAD_LETTERS, "the original key", (DEAD_LETTER,), None, 90 * DAY_MS),
        Topic(DEPLOYMENTS, "current, or what is passed over", (DEPLOYMENT, SKIP), 1, compact=True),
    )
}
"""All topics by name."""
