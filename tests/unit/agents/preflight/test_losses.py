"""What a change of definitions loses: everything that a model or a customer's state cannot take along."""

import dataclasses
from typing import Any

import pytest

from agents.preflight.losses import losses
from streams.deployment import definitions_of
from streams.usecases import Arm, Count, Logistic, PriorRate, UseCase, load_use_case


@pytest.fixture(scope="module")
def retail() -> UseCase:
    return load_use_case("retail")


def lost(before: UseCase, **changes: Any) -> list[str]:
    after = dataclasses.replace(before, **changes)
    return losses(definitions_of(before), definitions_of(after))


def with_target(case: UseCase, **changes: Any) -> dict[str, Any]:
    return {"targets": (dataclasses.replace(case.targets[0], **changes), *case.targets[1:])}


WEEK = Count("purchases_1w", of="Purchase", over="1w")


def test_what_loses_nothing(retail: UseCase) -> None:
    churn = retail.targets[0]
    names = tuple(feature.name for feature in retail.features)
    listed = tuple(dataclasses.replace(target, features=names) for target in retail.targets)
    new = dataclasses.replace(churn, name="again")
    demoted = tuple(
        dataclasses.replace(arm, role={"champion": "challenger"}.get(arm.role, arm.role)) for arm in churn.arms
    )
    for change in (
        {"allowed_lateness": "2h"},
        {"max_ahead": "5d", "clock": "wall", "false_alarms": 0.5, "reference_windows": 3},
        {"targets": (*retail.targets, new)},
        {"targets": retail.targets[::-1]},
        {"features": (*retail.features, WEEK), "targets": listed},
        with_target(retail, observe=0.5, serve_every=50, alert_delta=0.01),
        with_target(retail, arms=(*demoted, Arm("second", Logistic(learning_rate=0.1), role="champion"))),
        with_target(retail, ask=dataclasses.replace(churn.ask, every="7d")),
    ):
        assert lost(retail, **change) == [], change


def test_a_new_feature_changes_what_arms_read_whose_target_lists_none(retail: UseCase) -> None:
    """Arms that name what they read, or read nothing, go on."""
    found = lost(retail, features=(*retail.features, WEEK))
    assert found == [
        f"Arm {arm!r} of target {target!r}: its arm reads purchases_1w, from which it has not learnt; its model would "
        "be lost"
        for target, arm in (("churn", "logistic"), ("spend", "linear"))
    ]


def test_a_feature_that_goes_or_changes(retail: UseCase) -> None:
    first, *others = retail.features
    gone = lost(retail, features=tuple(others))
    assert gone[0] == f"feature {first.name}: removed, with all that it knows of the customers"
    assert f"no longer reads {first.name}; its model would be lost" in gone[1]
    longer = lost(retail, features=(dataclasses.replace(first, over="8w"), *others))  # type: ignore[type-var]
    assert longer[0].startswith(f'feature {first.name}: over: "4w" → "8w"; it would start again')
    assert len(longer) == 3 and "is declared otherwise than when it learnt" in longer[1]
    moved = lost(retail, features=(*others, first))
    assert moved and all("in another order" in text for text in moved)


def test_a_target_or_an_arm_that_goes_or_changes(retail: UseCase) -> None:
    churn = retail.targets[0]
    first, *others = churn.arms
    assert lost(retail, targets=retail.targets[1:]) == [
        "target churn: removed, with its open questions and the models of logistic, prior_rate, recency"
    ]
    assert lost(retail, **with_target(retail, arms=(dataclasses.replace(others[0], role="champion"), others[1]))) == [
        "target churn, arm logistic: removed, with its model"
    ]
    otherwise = lost(retail, **with_target(retail, arms=(dataclasses.replace(first, model=PriorRate()), *others)))
    assert len(otherwise) == 1 and otherwise[0].startswith("Arm 'logistic' of target 'churn': ")
    outcome = dataclasses.replace(churn.outcome, over="26w")  # type: ignore[type-var]
    (other,) = lost(retail, **with_target(retail, outcome=outcome))
    assert other.startswith('target churn: its outcome changes (over: "13w" → "26w")')


def test_an_event_that_goes(retail: UseCase) -> None:
    more = {**retail.events, "Return": {**retail.events["Purchase"], "name": "Return"}}
    (text,) = lost(dataclasses.replace(retail, events=more), events=retail.events)
    assert text == "event Return: no longer declared, so that its events become dead letters"
