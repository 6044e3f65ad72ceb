"""What `status` finds from outside."""

from agents.kafka.log_ends import LogEnd
from agents.operations.positions import StagePosition
from agents.operations.problems import blocked, standing_still, unserved
from agents.settings import Settings
from streams.log import TopicPartition

SCORING = [StagePosition("scoring", "tidecast-scoring", "customer-events", partition, 7) for partition in range(3)]
LEARNER = StagePosition("learning churn/logistic", "tidecast-learning-churn-logistic", "labelled-examples", 1, 0)
SETTINGS = Settings(
    kafka="broker:9092",
    registry="http://registry:1",
    redis_url="redis://redis:1",
    clickhouse_url="http://clickhouse:1",
    model_store="file:///nowhere",
    topic_prefix="shop.",
)


def test_partitions_that_no_worker_serves_are_named() -> None:
    owned = {"tidecast-scoring": {SCORING[1].place}, LEARNER.group: set[TopicPartition]()}
    assert unserved([*SCORING, LEARNER], owned) == [
        "No worker runs learning; start `tidecast worker learning`.",
        "No worker serves customer-events[0], customer-events[2] for scoring; start another `tidecast worker scoring`.",
    ]


def test_that_no_worker_runs_at_all_is_one_sentence() -> None:
    owned = {"tidecast-scoring": set[TopicPartition](), LEARNER.group: set[TopicPartition]()}
    assert unserved([*SCORING, LEARNER], owned) == ["No worker runs; start them with `tidecast worker`."]


def test_a_group_that_is_being_rebalanced_is_no_problem() -> None:
    assert unserved(SCORING, {}) == []


def test_a_transaction_is_told_when_it_is_still_open_a_moment_later() -> None:
    place = SCORING[0].place
    assert blocked(SETTINGS, {place: LogEnd(9, 4)}, {place: LogEnd(9, 9)}) == []
    assert blocked(SETTINGS, {place: LogEnd(9, 4)}, {place: LogEnd(12, 8)}) == []
    [said] = blocked(SETTINGS, {place: LogEnd(9, 4)}, {place: LogEnd(12, 4)})
    assert "offset 4 of shop.customer-events[0]" in said and "--start-offset 4" in said
    two = {place: LogEnd(12, 4), SCORING[2].place: LogEnd(9, 1)}
    assert blocked(SETTINGS, two, two)[1:] == ["The same holds for shop.customer-events[2] at 1."]


def test_time_stands_still_where_ticks_are_old() -> None:
    now = 1_000_000_000
    assert standing_still({0: now - 4_000, 1: None}, 1_000, now) == []
    [said] = standing_still({0: now - 4_000, 1: now - 57_000}, 1_000, now)
    assert "in partition 1 of" in said and "57 s old" in said
    assert standing_still({0: now - 57_000}, 60_000, now) == []
