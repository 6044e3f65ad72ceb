from dataclasses import dataclass, replace
from typing import Any

import pytest

from streams.deployment import Deployment
from streams.deployment_gate import DeploymentGate
from streams.errors import DeploymentMismatch
from streams.log import TopicPartition

PLACE = TopicPartition("labelled-examples", 3)
OURS = Deployment("ours", "shop", 7, 4, {}, "{}", "0", "0", "3", "x", number=3, former=("first", "former"))


@dataclass
class State:
    deployment_id: str = ""
    deployment_number: int = 0


def record(deployment_id: str, number: int | None) -> dict[str, Any]:
    return {"deployment_id": deployment_id, "number": number, "keys": None}


def test_ours_is_taken_over_and_not_twice() -> None:
    gate, state = DeploymentGate(OURS), State()
    assert gate.obey(state, record("ours", 4), PLACE, 0)
    assert state == State("ours", 4)
    assert not gate.obey(state, record("ours", 4), PLACE, 1)
    assert not gate.obey(state, record("former", 3), PLACE, 2), "a repeated record stops nobody"
    assert state == State("ours", 4)


def test_former_deployments_and_their_records_pass_and_a_later_one_stops() -> None:
    gate, state = DeploymentGate(OURS), State()
    assert gate.obey(state, record("first", 1), PLACE, 0)
    gate.check(state, PLACE, 1)
    assert gate.obey(state, record("former", 2), PLACE, 2)
    assert gate.obey(state, record("ours", 3), PLACE, 3)
    gate.check(state, PLACE, 4)
    with pytest.raises(DeploymentMismatch, match=r"is at deployment later \(at offset 9\), this worker has ours"):
        gate.obey(state, record("later", 4), PLACE, 9)
    assert state == State("ours", 3), "the slice before it is still to be written"


def test_records_under_a_former_deployment_are_refused_where_they_would_not_be_the_same_again() -> None:
    gate, state = DeploymentGate(OURS.alone()), State()
    assert gate.obey(state, record("former", 2), PLACE, 0)
    with pytest.raises(DeploymentMismatch, match="definitions of former"):
        gate.check(state, PLACE, 1)
    assert gate.obey(state, record("ours", 3), PLACE, 2)
    gate.check(state, PLACE, 3)


def test_definitions_that_return_pass_over_those_between() -> None:
    gate, state = DeploymentGate(replace(OURS, former=("ours", "between"))), State("ours", 1)
    assert gate.obey(state, record("between", 2), PLACE, 0)
    assert gate.obey(state, record("ours", 3), PLACE, 1)


def test_a_former_deployment_from_before_their_ids_were_recorded_is_known_by_its_number() -> None:
    gate, state = DeploymentGate(replace(OURS, former=())), State()
    assert gate.obey(state, record("unrecorded", 2), PLACE, 0)
    gate.check(state, PLACE, 1)
    with pytest.raises(DeploymentMismatch, match="definitions of unrecorded"):
        gate.obey(State(), record("unrecorded", None), PLACE, 2)


@pytest.mark.parametrize("before", ["", "ours", "former"])
def test_a_later_deployment_changes_nothing(before: str) -> None:
    gate, state = DeploymentGate(OURS), State(before, 1)
    with pytest.raises(DeploymentMismatch, match="start a worker with the definitions of later"):
        gate.obey(state, record("later", 5), PLACE, 0)
    assert state == State(before, 1)


def test_the_number_of_a_deployment_from_before_there_were_numbers_is_0() -> None:
    gate, state = DeploymentGate(OURS), State()
    assert gate.obey(state, record("ours", None), PLACE, 0)
    assert gate.obey(state, record("ours", None), PLACE, 1), "it cannot be told from a repeated one"
    assert state == State("ours", 0)


def test_records_before_the_first_deployment_are_told_so() -> None:
    with pytest.raises(DeploymentMismatch, match="has records before the first deployment") as error:
        DeploymentGate(OURS).check(State(), PLACE, 7)
    said = str(error.value)
    assert said.startswith("labelled-examples[3]") and "(at offset 7)" in said
    assert "TIDECAST_TOPIC_PREFIX" in said
