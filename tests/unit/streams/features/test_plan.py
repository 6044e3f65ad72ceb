"""Edge cases of the plan, drawn as diagrams. tests/property/test_features compares the plan with an oracle."""

from math import isnan, nan

import pytest

from streams.features.plan import FeaturePlan
from streams.usecases import (
    Attribute,
    Count,
    DistinctCount,
    Last,
    Max,
    Mean,
    Ratio,
    Sum,
    TimeSince,
    UseCase,
)

HOUR, DAY, WEEK = 3_600_000, 86_400_000, 604_800_000


def plan(*features):
    return FeaturePlan(UseCase("test", features, ()))


def fed(built, *events):
    """Return the state after events (event, time, fields…) in log order."""
    state = built.new_state()
    for kind, at, fields in events:
        built.update(state, kind, fields, at)
    return state


def value(built, state, clock=None):
    (only,) = built.vector(state, state.clock if clock is None else clock)
    return only


def test_a_window_ends_with_the_tile_of_the_clock():
    """Count over 3d; e is at the very start of day 10.

    day    8         9         10        11        12        13
           ├─────────┼─────────┼e────────┼─────────┼─────────┼
    clock 10.0                 c                                → 1
    clock 12.999               [===========================c)   → 1
    clock 13.0                           [=================c    → 0
    """
    built = plan(Count("n", of="E", over="3d"))
    state = fed(built, ("E", 10 * DAY, {}))
    assert value(built, state, 10 * DAY) == 1
    assert value(built, state, 13 * DAY - 1) == 1
    assert value(built, state, 13 * DAY) == 0


def test_the_last_moment_of_the_tile_before_the_window_is_out():
    """
    day    8         9         10
           ├────────e┼─────────┼c    over 2d: e is out; a ms later it is in
    """
    built = plan(Count("n", of="E", over="2d"))
    assert value(built, fed(built, ("E", 9 * DAY - 1, {})), 10 * DAY) == 0
    assert value(built, fed(built, ("E", 9 * DAY, {})), 10 * DAY) == 1


def test_weeks_begin_on_thursdays_and_time_before_1970_counts():
    built = plan(Count("n", of="E", over="1w"))
    state = fed(built, ("E", WEEK - 1, {}), ("E", WEEK, {}))
    assert value(built, state) == 1
    state = fed(built, ("E", -WEEK, {}), ("E", -1, {}), ("E", -5, {}))
    assert value(built, state) == 3
    assert state.clock == -1
    assert value(built, state, 0) == 0


def test_out_of_order_goes_to_its_own_tile():
    built = plan(Count("n", of="E", over="2h"))
    state = fed(built, ("E", 10 * HOUR, {}), ("E", 9 * HOUR, {}), ("E", 8 * HOUR, {}), ("E", 9 * HOUR + 1, {}))
    assert value(built, state) == 3
    assert value(built, state, 11 * HOUR) == 1
    assert state.series == [[[9, 2], [10, 1]]], "no window contains hour 8"


def test_last_is_by_event_time_and_ties_go_to_the_later_in_the_log():
    built = plan(Last("v", of="E", field="v", over="2d"))
    state = fed(built, ("E", 5 * DAY, {"v": 1}), ("E", 5 * DAY, {"v": 2}), ("E", 4 * DAY, {"v": 3}))
    assert value(built, state) == 2
    built.update(state, "E", {"v": None}, 5 * DAY + 1)
    assert value(built, state) == 2, "null does not count as a value"
    assert value(built, state, 7 * DAY - 1) == 2
    assert isnan(value(built, state, 7 * DAY))


def test_last_within_a_window_goes_by_whole_tiles():
    """At the end of day 6, the window of 2d begins at day 5. That is more than 1.9 days before the clock."""
    built = plan(Last("v", of="E", field="v", over="2d"))
    assert value(built, fed(built, ("E", 5 * DAY, {"v": 1})), 7 * DAY - 1) == 1
    assert isnan(value(built, fed(built, ("E", 5 * DAY - 1, {"v": 1})), 6 * DAY))


def test_money_is_summed_in_whole_numbers():
    built = plan(Sum("spend", of="E", field="cents", over="30d", scale=0.01))
    state = fed(built, *[("E", day * DAY, {"cents": 10}) for day in range(30)])
    assert value(built, state) == 3.0
    assert all(type(tile[1]) is int for tile in state.series[0])


def test_a_sum_beyond_int64_goes_on_as_a_double_and_still_packs():
    built = plan(Sum("s", of="E", field="v", over="1d"))
    state = fed(built, ("E", 0, {"v": 2**63 - 1}), ("E", 1, {"v": 2**63 - 1}))
    assert value(built, state) == float(2**64)
    assert built.stored.unpack(built.stored.pack(state)) == state


def test_what_is_too_large_for_a_double_is_unknown():
    built = plan(Sum("s", of="E", field="v", over="1d"), Count("n", of="E"), Ratio("r", "s", "n"))
    state = fed(built, ("E", 0, {"v": 1.7e308}), ("E", 1, {"v": 1.7e308}))
    assert [isnan(v) for v in built.vector(state, 1)] == [True, False, True]


def test_nothing_known_is_zero_for_counts_and_unknown_for_the_rest():
    features = (
        Count("count", of="E"),
        Sum("sum", of="E", field="v"),
        DistinctCount("distinct", of="E", field="v"),
        Mean("mean", of="E", field="v"),
        Max("max", of="E", field="v"),
        Last("last", of="E", field="v"),
        TimeSince("since", of="E"),
        Attribute("attribute", of="E", field="v"),
        Ratio("ratio", "sum", "count"),
    )
    built = plan(*features)
    assert [repr(v) for v in built.vector(built.new_state(), 5)] == ["0.0"] * 3 + ["nan"] * 6
    state = fed(built, ("E", 0, {"v": None}))
    assert built.vector(state, DAY) == pytest.approx([1, 0, 0, nan, nan, nan, 1, nan, 0], nan_ok=True)


def test_attributes_of_text_and_truth():
    built = plan(Attribute("is", of="P", field="plan", equals="gold"), Attribute("yes", of="P", field="yes"))
    state = fed(built, ("P", 2, {"plan": "gold", "yes": True}), ("P", 1, {"plan": "tin", "yes": False}))
    assert built.vector(state, 2) == [1.0, 1.0]
    built.update(state, "P", {"plan": "tin", "yes": None}, 3)
    assert built.vector(state, 3) == [0.0, 1.0]


def test_features_share_what_they_can():
    """Features with the same events, filter and tile width share one series. It holds each column once and as many
    tiles as the widest window needs."""
    built = plan(
        Count("a", of="E", over="24h"),
        Count("b", of="E", over="48h", where={}),
        Sum("c", of="E", field="v", over="24h"),
        Mean("d", of=("E",), field="v", over="3h"),
        Count("e", of="E", over="2d"),
        Count("f", of="E", over="24h", where={"v": (">", 1), "w": 2}),
        Count("g", of="E", over="24h", where={"w": 2, "v": [">", 1]}),
        TimeSince("h", of="E"),
        TimeSince("i", of="E", unit="h"),
    )
    assert [(s.width, s.tiles, len(s.columns)) for s in built._layout.series] == [
        (HOUR, 48, 3),
        (DAY, 2, 1),
        (HOUR, 24, 1),
    ]
    assert len(built._layout.registers) == 1


def test_a_changed_feature_set_upgrades_when_touched():
    """The hourly counts and the last time are kept. The sums are new, and known once a day has passed. The mean of m is
    gone."""
    old = plan(Count("n", of="E", over="48h"), Mean("m", of="E", field="m", over="24h"), TimeSince("t", of="E"))
    new = plan(TimeSince("days", of="E"), Sum("s", of="E", field="v", over="24h"), Count("renamed", of="E", over="24h"))
    state = fed(old, *[("E", hour * HOUR, {"m": 1, "v": 5}) for hour in (0, 30, 47)])
    state.digests.remember(b"12345678")
    state.due[3] = 99
    moved = new.stored.unpack(old.stored.pack(state))
    assert repr(new.vector(moved, moved.clock)) == "[0.0, nan, 2.0]"
    assert (moved.clock, moved.digests, moved.due) == (state.clock, state.digests, state.due)
    assert moved.series == [[[30, 0, 1], [47, 0, 1]]], "hour 0 is outside the new windows"
    new.update(moved, "E", {"m": 1, "v": 5}, 47 * HOUR)
    assert repr(new.vector(moved, moved.clock)) == "[0.0, nan, 3.0]"
    assert new.vector(moved, 71 * HOUR)[1] == 0.0, "hours 48 to 71 are whole"
    assert new.stored.unpack(new.stored.pack(moved)) == moved


def test_a_typical_customer_takes_less_than_a_kilobyte():
    """The customer has 20 features over 4 event types and 60 events in 30 days. Each event id takes 8 bytes."""
    features = []
    for kind in ("Call", "Sms", "Data", "TopUp"):
        features += [Count(f"{kind}{over}", of=kind, over=over) for over in ("24h", "7d")]
        features += [Sum(f"{kind}_sum{over}", of=kind, field="v", over=over) for over in ("24h", "7d")]
        features.append(TimeSince(f"{kind}_since", of=kind))
    built = plan(*features)
    state = built.new_state()
    for number in range(60):
        built.update(state, ("Call", "Sms", "Data", "TopUp")[number % 4], {"v": 0.1 * number}, number * DAY // 2)
        state.digests.remember(number.to_bytes(8, "big"))
    assert len(built.stored.pack(state)) < 1024
