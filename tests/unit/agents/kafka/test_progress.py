"""Why nothing moves: open transactions, records that do not come, partitions without a leader."""

import pytest

from agents.kafka.log_ends import LogEnd
from agents.kafka.progress import ABSENT_S, BUSY_S, IDLE_S, OPEN_S, Progress
from streams.log import TopicPartition

PLACE = TopicPartition("customer-events", 2)


@pytest.fixture
def progress() -> Progress:
    made = Progress("scoring", "broker:9092", "shop.")
    made.begin({PLACE: 5})
    return made


def look(progress: Progress, high: int, readable: int, now: float, busy: bool = False) -> str:
    """Return the problem as of a look at the log's end."""
    return progress.problem(progress.reached(), {PLACE: LogEnd(high, readable)}, busy, now)


def test_nothing_is_wrong_at_the_end_of_the_log(progress: Progress) -> None:
    assert [look(progress, 5, 5, now) for now in (0.0, 1000.0)] == ["", ""]


def test_an_open_transaction_is_named_with_the_command_that_ends_it(progress: Progress) -> None:
    assert look(progress, 9, 5, 100.0) == ""
    assert look(progress, 12, 5, 100.0 + OPEN_S / 2) == ""
    said = look(progress, 900, 5, 100.0 + OPEN_S)
    assert "at offset 5 of shop.customer-events[2]: an open transaction began there" in said
    assert "kafka-transactions.sh --bootstrap-server broker:9092 find-hanging --topic shop.customer-events" in said
    assert "abort --topic shop.customer-events --partition 2 --start-offset 5" in said
    assert look(progress, 901, 5, 200.0) == said  # the same sentence, so that the log says it once
    progress.reach(PLACE, 901)
    assert look(progress, 901, 901, 201.0) == ""


def test_transactions_that_follow_each_other_are_no_problem(progress: Progress) -> None:
    for offset in range(5, 105):
        progress.reach(PLACE, offset)
        assert look(progress, offset + 3, offset, float(offset)) == ""


@pytest.mark.parametrize(("busy", "patience"), [(False, IDLE_S), (True, BUSY_S)])
def test_records_that_are_not_processed_are_told(progress: Progress, busy: bool, patience: float) -> None:
    assert look(progress, 9, 9, 0.0, busy) == ""
    assert look(progress, 9, 9, patience - 0.1, busy) == ""
    assert "offset 5" in look(progress, 10, 10, patience, busy)
    progress.reach(PLACE, 6)
    assert look(progress, 10, 10, patience + 0.1, busy) == ""
    assert "offset 6" in look(progress, 10, 10, 2 * patience + 0.2, busy)


def test_a_stage_that_waits_for_a_server_is_excused(progress: Progress) -> None:
    assert look(progress, 9, 9, 0.0) == ""
    progress.excuse()
    assert look(progress, 9, 9, IDLE_S) == ""
    assert look(progress, 9, 9, 2 * IDLE_S) != ""


def test_a_partition_without_an_end_is_told_also_when_it_is_no_longer_owned(progress: Progress) -> None:
    assert progress.problem(progress.reached(), {}, False, 0.0) == ""
    progress.begin({})  # a deleted topic is taken from its consumers
    assert "shop.customer-events[2]" in progress.problem(progress.reached(), {}, False, ABSENT_S)


def test_a_lost_partition_is_no_business_of_ours(progress: Progress) -> None:
    progress.begin({})
    progress.reach(PLACE, 7)
    assert progress.reached() == {}
    assert [look(progress, 99, 5, now) for now in (0.0, 1000.0)] == ["", ""]


def test_a_log_that_ends_before_what_was_reached_is_seen(progress: Progress) -> None:
    assert not progress.shrunk(progress.reached(), {PLACE: LogEnd(5, 5)})
    assert progress.shrunk(progress.reached(), {PLACE: LogEnd(4, 4)})
    before = progress.reached()
    progress.reach(PLACE, 8)  # meanwhile: the ends were read before
    assert not progress.shrunk(before, {PLACE: LogEnd(6, 6)})
