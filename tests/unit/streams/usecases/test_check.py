"""Every mistake is reported before the first event, with its declaration, its field and a remedy."""

import copy
from dataclasses import fields, is_dataclass, replace

import pytest

from schemas.topics import MOST_TARGETS
from streams.deployment import definitions_of
from streams.errors import DeclarationError
from streams.features.plan import FeaturePlan
from streams.targets.plan import TargetPlan
from streams.usecases import (
    AbsenceOf,
    AmountOver,
    Arm,
    Ask,
    Attribute,
    Count,
    DistinctCount,
    EventWithin,
    ExplicitOutcome,
    LastValue,
    Linear,
    Logistic,
    Mean,
    PriorRate,
    Ratio,
    Sum,
    Target,
    TimeSince,
    check,
    load_use_case,
)

RETAIL = load_use_case("retail")
TELECOM = load_use_case("telecom")
CHURN, SPEND = RETAIL.targets


def said(use_case):
    return [str(problem) for problem in check(use_case)]


def test_a_log_has_room_for_so_many_targets():
    many = tuple(replace(CHURN, name=f"t{number}") for number in range(MOST_TARGETS + 1))
    assert said(replace(RETAIL, targets=many[1:])) == []
    assert said(replace(RETAIL, targets=many)) == [
        "use case, targets: there are 17, and a log has room for 16; declare fewer, or two use cases."
    ]


@pytest.mark.parametrize("name", ["telecom", "retail"])
def test_shipped_use_cases_are_right(name):
    assert said(load_use_case(name)) == []


@pytest.mark.parametrize(
    ("feature", "problem"),
    [
        (Count("n", of="Purchas"), "feature 'n', of: no event 'Purchas' has a schema; did you mean 'Purchase'?"),
        (Count("n", of=()), "feature 'n', of: it names no event; write of='Event' or of=('One', 'Another')."),
        (
            Sum("n", of="Purchase", field="amont_cents", over="7d"),
            "feature 'n', field: event Purchase has no field 'amont_cents'; did you mean 'amount_cents'?",
        ),
        (
            Sum("n", of="Purchase", field="source", over="7d"),
            "feature 'n', field: Purchase.source is a text field, and Sum needs a number; use one of items, "
            "amount_cents, or another declaration.",
        ),
        (
            Mean("n", of="Purchase", field="occurred_at"),
            "feature 'n', field: Purchase.occurred_at is a time field, and Mean needs a number; use one of items, "
            "amount_cents, or another declaration.",
        ),
        (
            Count("n", of="Purchase", over="7 days"),
            "feature 'n', over: '7 days' is not a duration; write a number and a unit m, h, d or w, as in '30d'.",
        ),
        (
            Count("n", of="Purchase", over="5000h"),
            "feature 'n', over: '5000h' has 5000 tiles of 1h; use a coarser unit, 1000 at most.",
        ),
        (
            Count("purchases", of="Purchase"),
            "feature 'purchases', name: 'purchases' is declared twice; rename one of them.",
        ),
        (Count("7d", of="Purchase"), "feature '7d', name: write letters, digits and underscores"),
        (
            Count("n", of="Purchase", where={"item": 1}),
            "where: event Purchase has no field 'item'; did you mean 'items'?",
        ),
        (
            Count("n", of="Purchase", where={"items": "1"}),
            "where: Purchase.items is a number field and is never '1'; compare it with a number.",
        ),
        (
            Count("n", of="Purchase", where={"items": ("=>", 1)}),
            "where: ('=>', 1) is not a condition; write a value, or a pair of one of ==, !=, <, <=, >, >=, in, not in",
        ),
        (Count("n", of="Purchase", where={"source": ("in", "abc")}), "'in' needs a tuple of values, not 'abc'"),
        (Count("n", of="Purchase", where={"items": None}), "Purchase.items is never null"),
        (
            Ratio("n", "spend", "purchase"),
            "feature 'n', denominator: no feature 'purchase' is declared; did you mean 'purchases'?",
        ),
        (Ratio("n", "purchases_trend", "spend"), "feature 'n', numerator: 'purchases_trend' is a Ratio itself"),
        (
            TimeSince("n", of="Purchase", unit="days"),
            "feature 'n', unit: 'days' is not a unit; use one of s, m, h, d, w.",
        ),
        (
            DistinctCount("n", of="Purchase", field="source", cap=0),
            "feature 'n', cap: 0 is not a whole number from 2 to 1000",
        ),
        (
            Attribute("n", of="Purchase", field="source"),
            "feature 'n', field: Purchase.source is a text field, which is no number: give equals=<value> for 1 or 0",
        ),
        (
            Attribute("n", of="Purchase", field="items", equals="2"),
            "feature 'n', equals: Purchase.items is a number field",
        ),
        (Sum("n", of="Purchase", field="items", scale=0), "feature 'n', scale: 0 makes every value 0"),
        ("purchases", "use case, features[12]: 'purchases' is not a feature; use one of Attribute, "),
    ],
)
def test_a_wrong_feature(feature, problem):
    (one,) = said(replace(RETAIL, features=(*RETAIL.features, feature)))
    assert problem in one


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"ask": Ask()}, "target 'churn', ask: nothing asks it; give on=('Event',) or every='30d'."),
        ({"ask": Ask(on="Purchases")}, "ask.on: no event 'Purchases' has a schema; did you mean 'Purchase'?"),
        ({"ask": Ask(every="monthly")}, "ask.every: 'monthly' is not a duration"),
        ({"ask": Ask(on="Purchase", until="Purchase")}, "ask.until: it limits a schedule and there is none"),
        ({"ask": "weekly"}, "ask: 'weekly' is not an Ask"),
        ({"outcome": AbsenceOf("Purchase", over=None)}, "outcome.over: it is the horizon: None is not a duration"),
        ({"outcome": EventWithin("Leave", over="30d")}, "outcome.event: no event 'Leave' has a schema"),
        (
            {"outcome": SPEND.outcome},
            "kind: AmountOver labels regression targets only; declare kind='regression', or use one of AbsenceOf",
        ),
        (
            {"kind": "regression"},
            "kind: AbsenceOf labels binary targets only; declare kind='binary', or use one of AmountOver",
        ),
        ({"kind": "binry"}, "kind: 'binry' is not a kind; did you mean 'binary'?"),
        ({"outcome": ExplicitOutcome(default=0.0)}, "outcome.default: it would never come into force"),
        ({"outcome": ExplicitOutcome("30d", default=7)}, "outcome.default: 7 is not a number from 0 to 1"),
        ({"observe": 0}, "observe: 0 is not a number from 1e-09 to 1"),
        ({"serve_every": 0}, "serve_every: 0 is not a whole number from 1"),
        ({"learn_corrections": "soon"}, "learn_corrections: "),
        ({"features": ("spent",)}, "features: no feature 'spent' is declared; did you mean 'spend'?"),
        ({"features": ("spend", "spend")}, "features: write a tuple of feature names, none twice"),
        ({"arms": ()}, "arms: no arm is champion; give exactly one arm role='champion'."),
        ({"arms": Arm("a", Logistic(), role="champion")}, "arms: write a tuple of Arm"),
        ({"name": "churn/2"}, "target 'churn/2', name: write letters, digits, - and _"),
    ],
)
def test_a_wrong_target(change, problem):
    problems = said(replace(RETAIL, targets=(replace(CHURN, **change), SPEND)))
    assert any(problem in each for each in problems), problems


@pytest.mark.parametrize(
    ("arm", "problem"),
    [
        (Arm("b", Logistic(), role="champion"), "target 'churn', arms: logistic, b are champions"),
        (Arm("b", Linear()), "target 'churn', arm 'b', model: Linear answers regression targets only; use one of "),
        (Arm("b", LastValue("spend_13w")), "arm 'b', model: LastValue answers regression targets only"),
        (Arm("b", Logistic(features=("spent",))), "arm 'b', model: feature 'spent' is not among the target's"),
        (Arm("b", PriorRate(), role="naiv"), "arm 'b', role: 'naiv' is not a role; did you mean 'naive'?"),
        (Arm("b", "logistic"), "arm 'b', model: 'logistic' is not a model; use one of AdaptiveForest, "),
        (Arm("logistic", PriorRate()), "arm 'logistic', name: 'logistic' is declared twice; rename one of them."),
        (Arm("a.b", PriorRate()), "arm 'a.b', name: write letters"),
        (Arm("b", Logistic(l2="x")), "arm 'b', model: Logistic(l2='x'"),
    ],
)
def test_a_wrong_arm(arm, problem):
    (one,) = said(replace(RETAIL, targets=(replace(CHURN, arms=(*CHURN.arms, arm)), SPEND)))
    assert problem in one


def test_amounts_need_a_number():
    wrong = replace(SPEND, outcome=AmountOver("Purchase", field="source", over="13w"))
    (one,) = said(replace(RETAIL, targets=(CHURN, wrong)))
    assert "target 'spend', field: Purchase.source is a text field, and AmountOver needs a number" in one


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"name": "tidecast"}, "use case, name: 'tidecast' cannot be the namespace"),
        ({"clock": "walls"}, "use case, clock: 'walls' is not a clock; did you mean 'wall'?"),
        ({"allowed_lateness": "soon"}, "use case, allowed_lateness: 'soon' is not a duration"),
        ({"false_alarms": 0}, "use case, false_alarms: 0 is not a number"),
        ({"warm_up_windows": -1}, "use case, warm_up_windows: -1 is not a whole number"),
        ({"reference_windows": 1.5}, "use case, reference_windows: 1.5 is not a whole number"),
        ({"features": ()}, "use case, features: there is none"),
        ({"targets": CHURN}, "use case, targets: write a tuple; one with a single element needs a comma: (one,)."),
        (
            {"name": "shop"},
            'event Purchase, namespace: it is retail.Purchase by its full name; write "namespace": "shop"',
        ),
    ],
)
def test_a_wrong_setting(change, problem):
    problems = said(replace(RETAIL, **change))
    assert any(problem in each for each in problems), problems


def changed(edit):
    schema = copy.deepcopy(RETAIL.events["Purchase"])
    edit({field["name"]: field for field in schema["fields"]}, schema)
    return said(replace(RETAIL, events={"Purchase": schema}))


@pytest.mark.parametrize("name", ["event_id", "customer_id", "occurred_at"])
def test_an_event_without_what_every_event_has(name):
    (one,) = changed(lambda by_name, schema: schema["fields"].remove(by_name[name]))
    assert one.startswith(f'event Purchase, {name}: the field is missing; add {{"name": "{name}", "type": ')


def test_a_source_may_be_left_out():
    assert changed(lambda by_name, schema: schema["fields"].remove(by_name["source"])) == []


def test_a_time_that_is_no_time():
    (one,) = changed(lambda by_name, schema: by_name["occurred_at"].update(type="long"))
    assert 'event Purchase, occurred_at: it is declared otherwise; make it {"name": "occurred_at"' in one


def test_a_schema_that_is_none():
    (one,) = changed(lambda by_name, schema: by_name["items"].update(type="integer"))
    assert one.startswith("event Purchase: it is not a valid Avro schema (UnknownType: retail.integer)")
    (one,) = changed(lambda by_name, schema: by_name["items"].update(type=["null", "Purchase"]))
    assert "contains itself" in one


JUNK = (None, 5, -1, 0.5, float("nan"), "", "zzz", "7d", ("a",), (), {}, {"a": 1}, {"items": ("in", 3)}, object(), b"x")


def everything_with_junk(value):
    """Yield copies of a declaration in which one field, at any depth, is invalid."""
    for field in fields(value):
        if field.name == "events":
            continue
        old = getattr(value, field.name)
        for junk in JUNK:
            try:
                yield replace(value, **{field.name: junk})
            except (TypeError, DeclarationError):
                continue
        if is_dataclass(old):
            yield from (replace(value, **{field.name: new}) for new in everything_with_junk(old))
        elif isinstance(old, tuple):
            for at, item in enumerate(old):
                if is_dataclass(item):
                    for new in everything_with_junk(item):
                        yield replace(value, **{field.name: (*old[:at], new, *old[at + 1 :])})


def test_whatever_is_declared_is_either_reported_or_can_be_deployed():
    """The check never fails, and declarations that it accepts can be compiled and serialized."""
    small = replace(
        TELECOM,
        features=(*TELECOM.features[:4], TELECOM.features[6], *TELECOM.features[12:14], *TELECOM.features[-3:]),
        targets=(
            replace(TELECOM.targets[0], arms=TELECOM.targets[0].arms[:1]),
            replace(
                TELECOM.targets[1],
                arms=TELECOM.targets[1].arms[:3],
                features=None,
                outcome=ExplicitOutcome("7d", 0.0),
            ),
        ),
    )
    assert said(small) == []
    right = wrong = 0
    for one in everything_with_junk(small):
        if check(one):
            wrong += 1
            continue
        right += 1
        definitions_of(one)
        plan = FeaturePlan(one)
        plan.vector(plan.new_state(), 0)
        for index, target in enumerate(one.targets):
            assert isinstance(target, Target)
            TargetPlan(index, target, plan.names)
    assert wrong > 500 and right > 20
