"""What arms read, from definitions; and which changes of definitions their versions survive."""

from dataclasses import replace
from typing import Any

import pytest

from streams.deployment import definitions_of
from streams.models.inputs import arm_inputs, input_changes
from streams.usecases import (
    Arm,
    Ask,
    Count,
    EventWithin,
    LastValue,
    Linear,
    Logistic,
    Mean,
    PriorRate,
    Ratio,
    Target,
    UseCase,
)

FEATURES = (
    Count("trips", of="Trip", over="7d"),
    Mean("fare", of="Trip", field="fare", over="7d"),
    Ratio("fare_per_trip", numerator="fare", denominator="trips"),
    Count("rides", of="Ride"),
)


def use_case(features: tuple[Any, ...] = FEATURES, names: tuple[str, ...] | None = None, **arms: Any) -> UseCase:
    """One target whose arms are given by name; all of its features are seen, or those of `names`."""
    arms = arms or {"all": Linear(), "one": Linear(features=("fare_per_trip",)), "last": LastValue("fare")}
    declared = tuple(Arm(name, model) for name, model in (*arms.items(), ("mean", PriorRate())))
    target = Target("spend", Ask(on=("Trip",)), EventWithin("Trip", over="2d"), declared, "regression", names)
    return UseCase("taxi", features, (target,))


def changed(after: UseCase, before: UseCase | None = None) -> dict[str, str]:
    """Arm → why it could not go on."""
    told = input_changes(definitions_of(before or use_case()), definitions_of(after))
    return {sentence.split("'")[1]: sentence for sentence in told}


def test_it_is_known_by_name_what_every_arm_reads() -> None:
    found = arm_inputs(definitions_of(use_case()))
    assert {arm: inputs.reads for (_, arm), inputs in found.items()} == {
        "all": ("trips", "fare", "fare_per_trip", "rides"),
        "one": ("fare_per_trip",),
        "last": ("fare",),
        "mean": (),
    }
    assert {inputs.vector for inputs in found.values()} == {("trips", "fare", "fare_per_trip", "rides")}
    narrow = arm_inputs(definitions_of(use_case(names=("rides", "fare"), all=Linear())))
    assert narrow["spend", "all"].reads == narrow["spend", "all"].vector == ("rides", "fare")


def test_what_no_arm_reads_otherwise_changes_nothing() -> None:
    assert changed(use_case()) == {}
    assert changed(replace(use_case(), allowed_lateness="9d", max_ahead="2d")) == {}


@pytest.mark.parametrize("at", [0, 2, 4])
def test_a_feature_more_concerns_only_arms_that_read_all(at: int) -> None:
    more = (*FEATURES[:at], Count("more", of="Trip"), *FEATURES[at:])
    found = changed(use_case(more))
    assert list(found) == ["all"]
    assert "reads more, from which it has not learnt" in found["all"]


def test_a_feature_less_concerns_the_arms_that_read_it() -> None:
    found = changed(use_case(FEATURES[:3]))
    assert list(found) == ["all"]
    assert "no longer reads rides" in found["all"]


def test_another_order_is_told() -> None:
    found = changed(use_case((FEATURES[3], *FEATURES[1:3], FEATURES[0])))
    assert "in another order" in found["all"]
    assert {"one", "last"} <= found.keys(), "open questions hold vectors in the former order"
    assert "mean" not in found, "it reads nothing"


def test_the_same_names_with_another_declaration_are_other_inputs() -> None:
    wider = replace(FEATURES[1], over="14d")
    found = changed(use_case((FEATURES[0], wider, *FEATURES[2:])))
    assert list(found) == ["all", "one", "last"], "fare_per_trip is derived from it"
    assert "declared otherwise" in found["last"]
    assert list(changed(use_case((*FEATURES[:3], replace(FEATURES[3], over="3d"))))) == ["all"]


def test_names_that_an_arm_lists_have_their_order() -> None:
    before = use_case(all=Linear(features=("trips", "fare")))
    assert list(changed(use_case(all=Linear(features=("fare", "trips"))), before)) == ["all"]
    assert changed(use_case(all=Linear(features=["trips", "fare"])), before) == {}  # type: ignore[arg-type]


def test_another_model_of_the_same_name_is_told() -> None:
    before = use_case(all=Linear())
    assert "declared otherwise" in changed(use_case(all=Linear(l2=0.5)), before)["all"]
    assert changed(use_case(other=Linear(l2=0.5)), before) == {}, "a new arm starts untrained"
    binary = replace(before, targets=(replace(before.targets[0], kind="binary"),))
    assert "mean" in changed(binary, before)


def test_a_model_that_this_release_does_not_know_reads_everything() -> None:
    definitions = definitions_of(use_case()).replace('"class":"LastValue"', '"class":"Gone"')
    assert arm_inputs(definitions)["spend", "last"].reads == tuple(feature.name for feature in FEATURES)


def test_a_version_of_other_inputs_is_refused_with_the_remedy() -> None:
    inputs = arm_inputs(definitions_of(use_case()))["spend", "all"]
    assert inputs.obstacle("spend/all.1@7", inputs.reads, inputs.digest) == ""
    assert inputs.obstacle("spend/all.1@7", inputs.reads, "") == "", "a snapshot of a release that kept no digest"
    other = (*reversed(inputs.reads[:2]), *inputs.reads[2:])
    for reads, digest, why in (
        (other, "", "in another order"),
        (("fare", "age"), "", "no longer reads age and reads trips, fare_per_trip, rides"),
        (inputs.reads, "0" * 16, "declared otherwise"),
    ):
        told = inputs.obstacle("spend/all.1@7", reads, digest)
        assert told.startswith("spend/all.1@7 cannot") and why in told and "give the changed arm a new name" in told


def test_messages_stay_short_with_many_features() -> None:
    many = tuple(Count(f"f{i}", of="Trip") for i in range(200))
    told = changed(use_case(many, all=Logistic()), use_case(many[:100], all=Logistic()))["all"]
    assert "f100, f101, f102, f103, f104 and 95 more" in told and len(told) < 200
