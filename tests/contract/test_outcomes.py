"""Contract of every registered outcome. Each label is compared with a slow oracle that reads all events."""

from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from fractions import Fraction
from math import isfinite
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.models.declaration import Kind
from streams.targets.observations import Observation, Observations
from streams.targets.outcome import EventOutcome, Outcome
from streams.targets.plan import TargetPlan
from streams.targets.registry import OUTCOMES
from streams.usecases import (
    AbsenceOf,
    AmountOver,
    Arm,
    Ask,
    CountOver,
    EventWithin,
    ExplicitOutcome,
    PriorRate,
    Problem,
    Target,
    check,
    load_use_case,
)

DAY = 86_400_000
ASKED, END = 10 * DAY, 12 * DAY
RETAIL = load_use_case("retail")
Happened = tuple[int, dict[str, Any]]
"""Time and record of an event."""

SETTINGS: dict[str, list[Any]] = {
    "event": ["Purchase"],
    "over": ["2d"],
    "where": [{}, {"items": (">", 1)}],
    "field": ["amount_cents"],
    "scale": [1.0, 0.01],
    "settle": ["at_once", "at_horizon"],
    "within": ["2d"],
    "default": [0.0, 1.0, None],
}
"""The possible values of an outcome's settings, by setting name."""

Oracle = Callable[[Any, Sequence[dict[str, Any]]], float | None]
ORACLES: dict[type, Oracle] = {
    EventWithin: lambda declared, records: float(bool(records)),
    AbsenceOf: lambda declared, records: float(not records),
    AmountOver: lambda declared, records: float(
        sum(Fraction(record["amount_cents"]) for record in records) * Fraction(declared.scale)
    ),
    CountOver: lambda declared, records: float(len(records)),
    ExplicitOutcome: lambda declared, records: declared.default,
}
"""The label from the records of all relevant events within the horizon. None means no example."""


def settings_of(kind: type[Outcome]) -> list[str]:
    names = [field.name for field in fields(kind)]
    unknown = [name for name in names if name not in SETTINGS]
    assert not unknown, f"add the values of {', '.join(unknown)} of {kind.__name__} to SETTINGS"
    return names


@st.composite
def outcomes(draw: Any) -> Any:
    kind = draw(st.sampled_from(list(OUTCOMES.values())))
    return kind(**{name: draw(st.sampled_from(SETTINGS[name])) for name in settings_of(kind)})


records = st.fixed_dictionaries({"items": st.integers(0, 3), "amount_cents": st.integers(-(10**6), 10**6)})
moments = st.integers(ASKED - DAY, END + DAY) | st.sampled_from([ASKED, ASKED + 1, END, END + 1])
histories = st.lists(st.tuples(moments, records), max_size=12)


def target_of(outcome: Outcome, kind: Kind) -> Target:
    return Target("t", Ask(on=("Purchase",)), outcome, (Arm("a", PriorRate(), "champion"),), kind)


def plan_of(outcome: Outcome) -> TargetPlan:
    return TargetPlan(0, target_of(outcome, outcome.fits[0]), ("x",))


def problems_of(outcome: Outcome, kind: Kind) -> list[Problem]:
    return check(replace(RETAIL, targets=(target_of(outcome, kind),)))


def asked() -> Observation:
    return Observation("t", "1.0.0.0", ASKED, END, b"", [])


def stored(observation: Observation) -> Observation:
    """Return the observation after a round trip through its stored form."""
    return Observations.unpack(Observations([observation]).pack()).waiting[0]


def test_every_registered_outcome_has_an_oracle() -> None:
    missing = [name for name, kind in OUTCOMES.items() if kind not in ORACLES]
    assert not missing, f"add {missing[0]} to ORACLES"


@given(outcomes(), histories)
def test_its_label_is_what_all_events_say(declared: Any, history: list[Happened]) -> None:
    """The label depends neither on the order of the events nor on storing the observation after each of them."""
    plan, observation = plan_of(declared), asked()
    inside = []
    for moment, record in history:
        if plan.concerns("Purchase", record):
            assert isinstance(declared, EventOutcome) and (not declared.where or record["items"] > 1)
            taken = plan.take_event(record, moment, observation)
            assert taken == (ASKED < moment <= END)
            inside += [record] if taken else []
        observation = stored(observation)
    closed, expected = plan.label_on_close(observation), ORACLES[type(declared)](declared, inside)
    if expected is None:
        assert closed is None
        return
    assert closed is not None
    label, outcome_at, settled_by = closed
    assert label == pytest.approx(expected, rel=1e-12, abs=1e-9)
    assert isfinite(label) and ("regression" in declared.fits or label in (0.0, 1.0))
    assert ASKED < outcome_at <= END and settled_by in ("event", "absence", "amount", "default")
    if inside and plan.label_at_once is not None:
        assert plan.label_at_once == expected


@given(outcomes(), histories)
def test_the_order_of_events_decides_nothing(declared: Any, history: list[Happened]) -> None:
    plan, found = plan_of(declared), []
    for events in (history, history[::-1], sorted(history, key=lambda event: event[0])):
        observation = asked()
        for moment, record in events:
            if plan.concerns("Purchase", record):
                plan.take_event(record, moment, observation)
        found.append(observation)
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("kind", get_args(Kind))
@pytest.mark.parametrize("name", OUTCOMES)
def test_it_fits_the_kinds_that_it_states_and_no_other(name: str, kind: Kind) -> None:
    outcome = OUTCOMES[name]
    problems = problems_of(outcome(**{setting: SETTINGS[setting][0] for setting in settings_of(outcome)}), kind)
    if kind in outcome.fits:
        assert problems == []
    else:
        assert str(problems[0]).startswith(
            f"target 't', kind: {name} labels {outcome.fits[0]} targets only; declare kind={outcome.fits[0]!r}, or use "
        )


@pytest.mark.parametrize("name", OUTCOMES)
def test_wrong_settings_are_problems_and_no_errors(name: str) -> None:
    outcome = OUTCOMES[name]
    right = {setting: SETTINGS[setting][0] for setting in settings_of(outcome)}
    for setting in right:
        for junk in (None, 5, -1, 0.5, "", "zzz", ("a",), {"a": 1}, object()):
            wrong = outcome(**{**right, setting: junk})
            if not problems_of(wrong, outcome.fits[0]):
                plan_of(wrong).label_on_close(asked())
