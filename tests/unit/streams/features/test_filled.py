"""A window that is not filled is unknown: after a change of features, and never for customers who come later."""

from math import isnan
from typing import Any

import pytest

from streams.features.customer_state import CustomerState
from streams.features.plan import FeaturePlan
from streams.features.window import UNITS
from streams.usecases import Count, DistinctCount, Last, Max, Mean, Min, Ratio, Sum, TimeSince, TimeSinceFirst, UseCase

HOUR, DAY = UNITS["h"], UNITS["d"]


def plan(*features: Any) -> FeaturePlan:
    return FeaturePlan(UseCase("test", features, ()))


def fed(plan: FeaturePlan, days: Any, state: CustomerState | None = None) -> CustomerState:
    """One event at noon of each of these days."""
    state = state or plan.new_state()
    for day in days:
        noon = day * DAY + 12 * HOUR
        plan.update(state, "E", {"v": 2, "occurred_at": noon}, noon)
    return state


def moved(old: FeaturePlan, new: FeaturePlan, state: CustomerState) -> CustomerState:
    """The state as the new plan finds it, in a partition whose first features are the old ones."""
    first = old.stored.retained
    found = new.stored.unpack(old.stored.pack(state, first), first)
    assert new.stored.unpack(new.stored.pack(found, first), first) == found
    return found


def known(plan: FeaturePlan, state: CustomerState, day: int) -> dict[str, float]:
    """The features that are known at the end of a day."""
    vector = zip(plan.names, plan.vector(state, (day + 1) * DAY - 1), strict=True)
    return {name: value for name, value in vector if not isnan(value)}


THREE, SIX = Count("three", of="E", over="3d"), Count("six", of="E", over="6d")


def test_a_longer_window_is_unknown_until_no_dropped_day_lies_in_it() -> None:
    """Days 8, 9 and 10 are there; days before were dropped. A window of six days is whole on day 13."""
    old, new = plan(THREE), plan(THREE, SIX)
    state = moved(old, new, fed(old, range(11)))
    assert known(new, state, 10) == {"three": 3.0}
    fed(new, (11, 12), state)
    assert known(new, state, 12) == {"three": 3.0}
    assert known(new, state, 13) == {"three": 2.0, "six": 5.0}, "a timer may ask before the next event"
    fed(new, (13,), state)
    assert known(new, state, 13) == {"three": 3.0, "six": 6.0}
    assert state.gaps is None, "nothing is left to remember"


def test_a_new_customer_is_known_at_once() -> None:
    new = plan(THREE, SIX)
    assert known(new, fed(new, (10,)), 10) == {"three": 1.0, "six": 1.0}


def test_a_new_feature_of_an_event_that_was_not_kept_is_unknown_until_its_window_is_filled() -> None:
    """The day of the change is not whole: what happened before noon was not kept."""
    new = plan(
        THREE,
        Sum("sum", of="E", field="v", over="2d"),
        Mean("mean", of="E", field="v", over="2d"),
        Min("min", of="E", field="v", over="2d"),
        Max("max", of="E", field="v", over="2d"),
        Last("last", of="E", field="v", over="2d"),
        DistinctCount("distinct", of="E", field="v", over="2d"),
        Ratio("ratio", "sum", "three"),
        TimeSince("since", of="E"),
    )
    old = plan(THREE)
    state = fed(new, (11,), moved(old, new, fed(old, range(11))))
    assert known(new, state, 11).keys() == {"three", "since", "last"}, "one event tells all of the latest one"
    state = fed(new, (12,), state)
    assert known(new, state, 12).keys() == set(new.names)
    assert known(new, state, 12)["sum"] == 4.0


def test_what_counts_from_the_first_event_stays_unknown_for_who_was_there_before() -> None:
    old, new = plan(THREE), plan(THREE, Count("ever", of="E"), TimeSinceFirst("age", of="E"))
    state = fed(new, range(11, 400), moved(old, new, fed(old, range(11))))
    assert known(new, state, 399) == {"three": 3.0}
    assert state.gaps is not None
    assert known(new, fed(new, (399,)), 399).keys() == {"three", "ever", "age"}


def test_a_shorter_window_is_known_at_once_and_a_gap_comes_back_with_the_longer_one() -> None:
    old, short = plan(SIX), plan(THREE)
    state = moved(old, short, fed(old, range(11)))
    assert known(short, state, 10) == {"three": 3.0}
    fed(short, (11,), state)
    first = old.stored.retained
    back = old.stored.unpack(short.stored.pack(state, first), first)
    assert known(old, back, 11) == {}
    untouched = old.stored.unpack(old.stored.pack(fed(old, range(11)), first), first)
    assert known(old, untouched, 10) == {"six": 6.0}, "who did nothing meanwhile lost nothing"


def test_gaps_survive_further_changes() -> None:
    """Six days since day 10, then a sum: the count's gap is neither forgotten nor widened."""
    first, second, third = plan(THREE), plan(THREE, SIX), plan(THREE, SIX, Sum("sum", of="E", field="v", over="2d"))
    begin = first.stored.retained
    state = fed(second, (11, 12), moved(first, second, fed(first, range(11))))
    state = third.stored.unpack(second.stored.pack(state, begin), begin)
    assert known(third, state, 12) == {"three": 3.0}
    fed(third, (13,), state)
    assert known(third, state, 13) == {"three": 3.0, "six": 6.0}
    fed(third, (14,), state)
    assert known(third, state, 14) == {"three": 3.0, "six": 6.0, "sum": 4.0}


def test_a_customer_without_an_event_has_no_history_to_miss() -> None:
    old, new = plan(THREE), plan(THREE, SIX)
    assert moved(old, new, old.new_state()).gaps is None


def test_a_window_as_long_as_the_widest_one_was_needs_no_waiting() -> None:
    old = plan(Count("n", of="E", over="6d"), Sum("s", of="E", field="v", over="3d"))
    new = plan(*(Count("n", of="E", over="6d"), Sum("s", of="E", field="v", over="6d")))
    assert known(new, moved(old, new, fed(old, range(11))), 10) == {"n": 6.0, "s": 12.0}


@pytest.mark.parametrize("day", [-20, -1, 0])
def test_days_before_1970_have_gaps_too(day: int) -> None:
    old, new = plan(THREE), plan(THREE, SIX)
    state = moved(old, new, fed(old, range(day - 10, day + 1)))
    assert known(new, state, day + 2) == {"three": 1.0}
    assert known(new, state, day + 3) == {"three": 0.0, "six": 3.0}


def test_while_features_never_change_states_hold_nothing_more() -> None:
    """In a partition whose first features these are, which it says or not."""
    built = plan(THREE)
    state = fed(built, range(11))
    assert built.stored.pack(state) == built.stored.pack(state, built.stored.retained)
    other = plan(SIX).stored.retained
    assert len(built.stored.pack(state, other)) > len(built.stored.pack(state))
    assert built.stored.unpack(built.stored.pack(state, other), other) == state


def test_where_nothing_says_what_a_former_release_kept_only_new_columns_are_unknown() -> None:
    old, new = plan(THREE), plan(THREE, SIX, Sum("s", of="E", field="v", over="2d"))
    state = new.stored.unpack(old.stored.pack(fed(old, range(11))), new.stored.retained)
    assert known(new, state, 10) == {"three": 3.0, "six": 3.0}


def test_a_late_event_does_not_pass_for_the_latest_one_that_was_not_kept() -> None:
    """Visits were not kept before day 10. One of day 5 that comes afterwards says nothing of the last visit."""
    old, new = plan(THREE), plan(THREE, TimeSince("since_visit", of="Visit"))
    state = moved(old, new, fed(old, range(11)))
    new.update(state, "Visit", {}, 5 * DAY)
    assert known(new, state, 10) == {"three": 3.0}
    new.update(state, "Visit", {}, 11 * DAY)
    assert known(new, state, 11).keys() == {"three", "since_visit"}
