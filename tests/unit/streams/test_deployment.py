"""What changes the definitions, and what does not."""

import copy
import dataclasses
import json

import pytest

from streams.deployment import (
    Deployment,
    Fingerprint,
    changes,
    definitions_of,
    deploy_of,
    deployment_id,
    differences,
)
from streams.errors import DeclarationError
from streams.usecases import load_use_case

HERE = Fingerprint(river="0.26.1", code="abc", python="3.11.7", cpu="x86_64-avx2")


@pytest.fixture(scope="module")
def telecom():
    return load_use_case("telecom")


def test_a_record_holds_all_of_it(telecom):
    made = deploy_of(telecom, 1_790_000_000, 4, {}, HERE)
    assert made.deployment_id == deployment_id(made.definitions)
    assert Deployment.from_record(made.to_record(), 4) == made
    assert made.fingerprint == HERE


def test_the_number_of_partitions_is_that_of_the_record(telecom):
    made = deploy_of(telecom, 1_790_000_000, 4, {}, HERE, former=("a", "b"))
    assert Deployment.from_record(made.to_record(), 6) == made, "somebody added two"
    unrecorded = {**made.to_record(), "partitions": None, "former": None}
    assert Deployment.from_record(unrecorded, 6) == dataclasses.replace(made, partitions=6, former=())


@pytest.mark.parametrize(
    "topic,partitions", [("customer-events", 4), ("predictions", 4), ("labelled-examples", 16), ("drift-alerts", 1)]
)
def test_it_owns_the_partitions_that_were_deployed(telecom, topic, partitions):
    made = deploy_of(telecom, 1_790_000_000, 4, {}, HERE)
    assert [made.owns(topic, number) for number in range(partitions + 2)] == [True] * partitions + [False] * 2


def test_definitions_are_canonical(telecom):
    text = definitions_of(telecom)
    assert definitions_of(copy.deepcopy(telecom)) == text
    assert text == json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"))
    assert {target["name"] for target in json.loads(text)["targets"]} == {t.name for t in telecom.targets}
    assert json.loads(text)["features"][0]["class"] == type(telecom.features[0]).__name__


def test_how_often_the_clock_ticks_does_not_change_them(telecom):
    assert definitions_of(dataclasses.replace(telecom, tick_every="5s")) == definitions_of(telecom)
    assert definitions_of(dataclasses.replace(telecom, allowed_lateness="5s")) != definitions_of(telecom)


def test_a_doc_does_not_change_them(telecom):
    events = copy.deepcopy(dict(telecom.events))
    for schema in events.values():
        schema["doc"] = "other words"
        schema["fields"][0]["doc"] = "other words"
    assert definitions_of(dataclasses.replace(telecom, events=events)) == definitions_of(telecom)


@pytest.mark.parametrize(
    "change",
    [
        lambda case: {"allowed_lateness": "2h"},
        lambda case: {"features": case.features[::-1]},
        lambda case: {"features": case.features[1:]},
        lambda case: {"targets": case.targets[:1]},
        lambda case: {"targets": (dataclasses.replace(case.targets[0], observe=0.5), *case.targets[1:])},
        lambda case: {"events": {**case.events, "Call": {**case.events["Call"], "fields": []}}},
    ],
)
def test_everything_else_does(telecom, change):
    changed = dataclasses.replace(telecom, **change(telecom))
    assert definitions_of(changed) != definitions_of(telecom)
    assert changes(definitions_of(telecom), definitions_of(changed))


def test_targets_keep_their_partitions_and_new_ones_take_the_lowest_free(telecom):
    before = {"gone": 0, telecom.targets[1].name: 3}
    made = deploy_of(telecom, 1, 4, before, HERE)
    assert made.target_partitions == {"gone": 0, telecom.targets[1].name: 3, telecom.targets[0].name: 1}


def test_a_value_without_a_form_in_the_log_is_refused(telecom):
    for value, word in ((lambda: 0, "function"), (float("nan"), "nan"), (float("inf"), "inf")):
        with pytest.raises(DeclarationError, match=f"telecom.features.*{word}.*declare"):
            definitions_of(dataclasses.replace(telecom, features=(value,)))


def test_changes_name_their_place():
    old = json.dumps({"features": [{"name": "a", "over": "7d"}, {"name": "b"}], "clock": "wall"})
    new = json.dumps({"features": [{"name": "a", "over": "14d"}, {"name": "c"}], "clock": "wall", "more": 1})
    assert changes(old, new) == [
        "features: new order or names",
        'features.a.over: "7d" → "14d"',
        "features.b: removed",
        "features.c: new",
        "more: new",
    ]
    assert changes(old, old) == []


def test_only_what_differs_is_warned_of():
    assert differences(HERE, HERE) == []
    assert differences(HERE, dataclasses.replace(HERE, river="9")) == []
    (warning,) = differences(HERE, dataclasses.replace(HERE, cpu="arm64-asimd"))
    assert "arm64-asimd here" in warning and "x86_64-avx2" in warning


def test_kernels_warn_where_the_deployment_says_whether_they_were_on():
    with_kernels, without = (dataclasses.replace(HERE, kernels=kernels) for kernels in (True, False))
    assert differences(HERE, without) == differences(with_kernels, with_kernels) == []
    (warning,) = differences(with_kernels, without)
    assert "kernels are off here and were on" in warning
    (warning,) = differences(without, with_kernels)
    assert "kernels are on here and were off" in warning


def test_kernels_are_recorded_and_do_not_change_the_definitions(telecom):
    here = dataclasses.replace(HERE, kernels=True)
    made, former = (deploy_of(telecom, 1_790_000_000, 4, {}, running) for running in (here, HERE))
    assert made.to_record()["kernels"] is True and former.to_record()["kernels"] is None
    assert made.deployment_id == former.deployment_id
    assert Deployment.from_record(made.to_record(), 4).fingerprint == here
