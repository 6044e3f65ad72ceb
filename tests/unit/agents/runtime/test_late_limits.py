"""When a stage is red for late events, and what it says."""

from agents.runtime.late_limits import LEAST, WINDOW, LateLimits
from streams.log import LateEvents, Rejects

HOUR = 3_600_000


def rejects(events: int, late: int, partition: int = 0) -> Rejects:
    """A slice of one partition; its last late event lies two hours behind."""
    made = Rejects(fine={partition: events})
    if late:
        made.late[partition] = LateEvents(late, 77, 2 * HOUR, 10 * HOUR, 8 * HOUR)
    return made


def problem(limits: LateLimits, *slices: Rejects) -> str:
    for slice_ in slices:
        limits.add(slice_)
    return limits.problem


def test_half_of_the_events_may_be_late_and_not_one_more() -> None:
    assert not problem(LateLimits(0.5), rejects(LEAST, LEAST // 2))
    assert problem(LateLimits(0.5), rejects(LEAST, LEAST // 2 + 1))
    assert not problem(LateLimits(0.0), rejects(1000, 1000))


def test_a_few_events_say_nothing() -> None:
    limits = LateLimits(0.5)
    assert not problem(limits, rejects(LEAST - 1, LEAST - 1))
    assert problem(limits, rejects(1, 1))


def test_healthy_partitions_hide_no_silenced_one() -> None:
    limits = LateLimits(0.5)
    said = problem(limits, *(rejects(10_000, 0, partition) for partition in range(11)), rejects(60, 60, 11))
    assert "customer-events[11]" in said


def test_slices_without_events_change_nothing() -> None:
    assert not problem(LateLimits(0.5), rejects(0, 0), rejects(0, 0))


def test_it_says_what_and_since_when_and_stays_the_same_until_it_is_over() -> None:
    limits = LateLimits(0.5)
    said = problem(limits, rejects(100, 100))
    assert "100 of the last 100 events of customer-events[0] are late, the last one (offset 77) by 2 h 0 min" in said
    assert "1970-01-01 10:00:00, Kafka's was 1970-01-01 08:00:00" in said
    assert problem(limits, rejects(100, 100)) == said  # not a new line in the log at every batch
    assert not problem(limits, rejects(WINDOW, 0))
    assert problem(limits, rejects(WINDOW, WINDOW))


def test_the_window_forgets_what_is_long_ago() -> None:
    limits = LateLimits(0.5)
    problem(limits, *(rejects(10, 10) for _ in range(50)))
    assert problem(limits, *(rejects(10, 0) for _ in range(40)))
    assert not problem(limits, *(rejects(10, 0) for _ in range(20)))


def test_other_partitions_count_anew() -> None:
    limits = LateLimits(0.5)
    assert problem(limits, rejects(100, 100))
    limits.begin_anew()
    assert not limits.problem
