"""Every caution has a remedy, and is silent once the remedy is followed."""

import pytest

from streams.usecases import (
    AbsenceOf,
    AmountOver,
    Arm,
    Ask,
    EventWithin,
    ExplicitOutcome,
    Linear,
    Logistic,
    PriorRate,
    Target,
    load_use_case,
)
from streams.usecases.target_cautions import target_cautions


def said(outcome, kind="binary", model=None):
    arms = (Arm("arm", model or PriorRate(), role="champion"),)
    target = Target("t", kind=kind, ask=Ask(on=("Buy",)), outcome=outcome, arms=arms)
    return [f"{caution.field}: {caution.text}" for caution in target_cautions([target])]


@pytest.mark.parametrize("kind", [EventWithin, AbsenceOf])
def test_labels_that_come_at_different_times(kind):
    (caution,) = said(kind("Buy", over="30d", settle="at_once"))
    assert caution.startswith("outcome.settle:") and 'write settle="at_horizon"' in caution
    assert said(kind("Buy", over="30d", settle="at_horizon")) == []
    assert said(kind("Buy", over="30d")) == [], "by default both labels come at the horizon"


def test_a_default_that_comes_after_what_is_told():
    (caution,) = said(ExplicitOutcome(within="30d", default=0.0))
    assert caution.startswith("outcome.default:") and "publish an outcome for every question" in caution
    assert said(ExplicitOutcome(within="30d")) == []


@pytest.mark.parametrize("model", [Linear, Logistic])
def test_models_that_one_record_can_ruin(model):
    outcome = AmountOver("Buy", field="cents", over="30d") if model is Linear else AbsenceOf("Buy", over="30d")
    kind = model.fits[0]
    (caution,) = said(outcome, kind, model(robust=False))
    assert caution.startswith("model.robust: a single extreme record") and "write robust=True" in caution
    assert said(outcome, kind, model(robust=True)) == said(outcome, kind, model()) == []


@pytest.mark.parametrize("name", ["telecom", "retail"])
def test_shipped_use_cases_have_none(name):
    assert list(target_cautions(load_use_case(name).targets)) == []
