"""Loads of the shipped use cases."""

from dataclasses import replace

import pytest

from agents.sizing.declared import assumptions, mixed, targets_of
from streams.errors import SettingError
from streams.usecases import AdaptiveForest, AdaptiveTree, Arm, HoeffdingTree, PriorRate, load_use_case


def test_telecom() -> None:
    telecom = load_use_case("telecom")
    churn, spend = targets_of(telecom, mixed(telecom, {"Complaint": 0.01}))
    assert (churn.questions_per_event, churn.questions_per_customer_day) == (0.01, 1 / 7)
    assert [arm.kind for arm in churn.arms] == ["linear", "tree", "naive", "linear"]
    assert (churn.horizon_days, churn.features, churn.serve_every, churn.only_active) == (14, 22, 200, False)
    assert (spend.questions_per_event, spend.horizon_days, spend.features) == (0, 30, 9)
    assert [arm.kind for arm in spend.arms] == ["linear", "tree", "naive", "naive"]


def test_shares_not_given_are_equal() -> None:
    telecom = load_use_case("telecom")
    mix = mixed(telecom, {"Call": 0.5})
    assert mix["Call"] == 0.5 and mix["Complaint"] == pytest.approx(0.1) and sum(mix.values()) == pytest.approx(1)


def test_what_was_guessed_is_told() -> None:
    telecom, retail = load_use_case("telecom"), load_use_case("retail")
    (told,) = assumptions(telecom, {})
    assert "Complaint asks questions, and is assumed to be 16.7%" in told
    assert not assumptions(telecom, {"Complaint": 0.01}) and not assumptions(retail, {})


@pytest.mark.parametrize("given", [{"Cal": 0.5}, {"Call": 0.9, "TopUp": 0.2}])
def test_shares_that_do_not_fit(given: dict[str, float]) -> None:
    with pytest.raises(SettingError, match=r"it has Call|sum to"):
        mixed(load_use_case("telecom"), given)


def test_a_model_costs_as_often_as_it_declares() -> None:
    arms = (
        Arm("tree", AdaptiveTree(), role="champion"),
        Arm("forest", AdaptiveForest(trees=30)),
        Arm("p", PriorRate()),
    )
    retail = load_use_case("retail")
    (target,) = targets_of(replace(retail, targets=(replace(retail.targets[0], arms=arms),)), mixed(retail, {}))
    assert [(arm.kind, arm.times) for arm in target.arms] == [("tree", 2), ("forest_tree", 30), ("naive", 1)]


def test_a_cost_that_nobody_measured_is_an_error_and_not_a_guess(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(HoeffdingTree, "cost", "shrub")
    telecom = load_use_case("telecom")
    with pytest.raises(SettingError, match=r"Arm 'tree': HoeffdingTree states the cost 'shrub'.*state one of linear"):
        targets_of(telecom, mixed(telecom, {}))
