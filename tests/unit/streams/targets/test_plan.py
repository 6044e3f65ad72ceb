from collections import Counter

import pytest

from streams.features.customer_state import CustomerState
from streams.targets.observations import Observation
from streams.targets.plan import NEVER, TargetPlan
from streams.usecases import (
    AbsenceOf,
    AmountOver,
    Arm,
    Ask,
    EventWithin,
    ExplicitOutcome,
    Logistic,
    PriorRate,
    Target,
)

DAY = 86_400_000
ARMS = (Arm("naive", PriorRate(), role="naive"), Arm("model", Logistic(), role="champion"))


LEAVES = EventWithin("Leave", over="2d")


def plan(outcome=LEAVES, **given) -> TargetPlan:
    given = {"ask": Ask(on=("Buy",), every="7d", until=("Leave",)), "arms": ARMS, **given}
    return TargetPlan(3, Target("churn", outcome=outcome, **given), ["a", "b", "c"])


def observation() -> Observation:
    return Observation("churn", "p", 0, 2 * DAY, b"", [])


def test_the_vector_is_the_targets_own_features() -> None:
    assert plan().vector([1.0, 2.0, 3.0]) == [1.0, 2.0, 3.0]
    assert plan(features=("c", "a")).vector([1.0, 2.0, 3.0]) == [3.0, 1.0]
    assert plan(features=("c", "a")).names == ("c", "a")
    assert plan().champion == 1


def test_schedules_are_spread_over_the_period_and_keep_their_phase() -> None:
    churn = plan()
    phases = Counter(churn.next_due(f"c{n}", 0) * 7 // (7 * DAY) for n in range(7000))
    assert len(phases) >= 7 and max(phases.values()) < 1200
    first = churn.next_due("c", 0)
    assert 0 < first <= 7 * DAY
    assert churn.next_due("c", first - 1) == first
    assert churn.next_due("c", first) == first + 7 * DAY
    assert churn.next_due("c", -(10**12)) % (7 * DAY) == first % (7 * DAY)


def test_a_schedule_starts_with_an_event_and_ends_for_good() -> None:
    churn, state = plan(), CustomerState([], [], clock=5)
    churn.schedule(state, "c", "Buy")
    due = state.due[3]
    assert due == churn.next_due("c", 5)
    churn.schedule(state, "c", "Buy")
    assert state.due[3] == due
    churn.schedule(state, "c", "Leave")
    assert state.due[3] == NEVER
    churn.schedule(state, "c", "Buy")
    assert state.due[3] == NEVER


def test_silent_customers_rest_until_their_next_event() -> None:
    churn = plan(ask=Ask(every="7d", while_active="10d"))
    state = CustomerState([], [], clock=0, due={3: 5 * DAY})
    assert churn.reschedule(state, "c", 10 * DAY)
    assert not churn.reschedule(state, "c", 10 * DAY + 1)
    assert state.due == {}


@pytest.mark.parametrize("happened", [False, True])
@pytest.mark.parametrize("settle", ["at_once", "at_horizon"])
@pytest.mark.parametrize("kind,label", [(EventWithin, 1.0), (AbsenceOf, 0.0)])
def test_labels_of_events_and_of_their_absence(kind, label, settle, happened) -> None:
    churn, waiting = plan(kind("Leave", over="2d", settle=settle)), observation()
    if not happened:
        assert churn.label_on_close(waiting) == (1.0 - label, 2 * DAY, "absence")
        return
    assert not churn.take_event({}, 0, waiting)
    assert churn.take_event({}, DAY, waiting)
    assert churn.label_at_once == (label if settle == "at_once" else None)
    assert churn.take_event({}, 9, waiting)
    assert churn.label_on_close(waiting) == (label, 9, "event")


def test_amounts_add_up_unscaled() -> None:
    spend, waiting = plan(AmountOver("Buy", field="cents", over="2d", scale=0.01), kind="regression"), observation()
    for moment, cents in ((0, 1), (1, 10), (2 * DAY, 20), (2 * DAY + 1, 400), (5, None)):
        spend.take_event({"cents": cents}, moment, waiting)
    assert waiting.amount == 30
    assert spend.label_at_once is None
    assert spend.label_on_close(waiting) == (30 * 0.01, 2 * DAY, "amount")


def test_a_filter_chooses_the_events_of_the_outcome() -> None:
    churn = plan(EventWithin("Leave", over="2d", where={"reason": "price"}))
    assert not churn.concerns("Leave", {"reason": "moved"})
    assert not churn.concerns("Stay", {"reason": "price"})
    assert churn.concerns("Leave", {"reason": "price"})


def test_an_explicit_outcome_may_have_a_default() -> None:
    waiting = observation()
    assert plan(ExplicitOutcome()).horizon is None
    assert plan(ExplicitOutcome(within="2d")).label_on_close(waiting) is None
    assert plan(ExplicitOutcome(within="2d", default=0)).label_on_close(waiting) == (0.0, 2 * DAY, "default")


def test_the_share_that_is_observed() -> None:
    churn = plan(observe=0.25)
    assert 2200 < sum(churn.observes(f"p{n}") for n in range(10_000)) < 2800
    assert all(plan().observes(f"p{n}") for n in range(100))
    assert not any(plan(observe=0.0).observes(f"p{n}") for n in range(100))
