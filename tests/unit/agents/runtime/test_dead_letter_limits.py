"""When dead letters stop a worker, and the error message."""

from typing import Any

import pytest

from agents.runtime.dead_letter_limits import WINDOW, DeadLetterLimits, TooManyDeadLetters
from streams.errors import DeadReason
from streams.log import DeadRecord, Rejects


def rejects(*pattern: str, partition: int = 0) -> Rejects:
    """Return the rejects of a slice of one partition: `.` is a valid record, `x` a dead letter."""
    made, fine = Rejects(), 0
    for offset, mark in enumerate("".join(pattern)):
        if mark == ".":
            fine += 1
        else:
            made.dead.append(DeadRecord(partition, offset, DeadReason.UNDECODABLE, "it is garbage.", fine))
    made.fine[partition] = fine
    return made


def passed(limits: DeadLetterLimits, *slices: Rejects) -> int | None:
    """Return the number of the slice that exceeds a limit."""
    for number, slice_ in enumerate(slices):
        try:
            limits.add(slice_)
        except TooManyDeadLetters:
            return number
    return None


@pytest.mark.parametrize(
    ("slices", "at"),
    [
        (["xxxx", ".x"], None),
        (["xxxxx"], 0),
        ([".xxxxx."], 0),
        (["..xxx", "xx.."], 1),
        (["xxx", ".", "xx"], None),
        (["xxx", "", "xx"], 2),  # ticks and switches count as neither
        (["xx.xx", "xx", "x"], 2),
        (["xxxx.", "xxxx"], None),
    ],
)
def test_in_a_row(slices: list[str], at: int | None) -> None:
    assert passed(DeadLetterLimits(5, 0), *map(rejects, slices)) == at
    assert passed(DeadLetterLimits(0, 0), *map(rejects, slices)) is None


def test_a_healthy_partition_does_not_hide_a_broken_one() -> None:
    limits = DeadLetterLimits(5, 0)
    slices: list[Any] = [rejects("xxx", partition=1), rejects("......", partition=0), rejects("xx", partition=1)]
    assert passed(limits, *slices) == 2


def test_the_example_is_of_the_partition_that_it_is_about() -> None:
    limits = DeadLetterLimits(3, 0)
    with pytest.raises(TooManyDeadLetters, match=r"events\[2\] .* e.g. offset 2 of partition 2"):
        limits.add(rejects("xxx", partition=2))
    limits = DeadLetterLimits(3, 0)
    limits.add(rejects("xx", partition=2))
    limits.add(rejects("..x", partition=1))
    with pytest.raises(TooManyDeadLetters, match="offset 0 of partition 2"):
        limits.add(rejects("x", partition=2))


def test_two_partitions_do_not_add_up_to_one_run() -> None:
    assert passed(DeadLetterLimits(5, 0), rejects("xxx", partition=1), rejects("xxx", partition=2)) is None


@pytest.mark.parametrize(("dead", "stops"), [(WINDOW // 2, False), (WINDOW // 2 + 1, True)])
def test_share_of_the_last_records(dead: int, stops: bool) -> None:
    limits = DeadLetterLimits(0, 0.5)
    limits.add(rejects("." * WINDOW))  # before the window
    limits.add(rejects("x" * dead))
    assert (passed(limits, rejects("." * (WINDOW - dead))) == 0) is stops


def test_a_burst_at_the_start_is_no_share_yet() -> None:
    assert passed(DeadLetterLimits(0, 0.5), rejects("x" * 1000)) is None


def test_counts_begin_anew() -> None:
    limits = DeadLetterLimits(5, 0.5)
    limits.add(rejects("xxxx"))
    limits.begin_anew()
    assert passed(limits, rejects("xxxx")) is None


def test_the_error_says_what_was_seen_and_what_to_do() -> None:
    slice_ = rejects("..xx")
    slice_.dead.append(DeadRecord(0, 4, DeadReason.WRONG_KEY, "other.", 2))
    with pytest.raises(TooManyDeadLetters) as caught:
        DeadLetterLimits(3, 0).add(slice_)
    text = str(caught.value)
    assert "3 records in a row in customer-events[0]" in text
    assert "2 of them undecodable, e.g. offset 3 of partition 0" in text
    for word in ("it is garbage.", "tidecast dead-letters list", "TIDECAST_DEAD_LETTER_RUN", "now 3"):
        assert word in text
    with pytest.raises(TooManyDeadLetters, match=r"20,000 of the last 20,000 .* TIDECAST_DEAD_LETTER_SHARE"):
        DeadLetterLimits(0, 0.5).add(rejects("x" * WINDOW))
