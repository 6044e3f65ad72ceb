from dataclasses import dataclass
from typing import Any

import pytest

from streams.deployment_gate import DeploymentGate
from streams.errors import DeploymentMismatch
from streams.log import TopicPartition

PLACE = TopicPartition("labelled-examples", 3)


@dataclass
class State:
    deployment_id: str = ""
    deployment_number: int = 0


def record(deployment_id: str, number: int | None) -> dict[str, Any]:
    return {"deployment_id": deployment_id, "number": number}


@pytest.mark.parametrize("waits", [False, True])
def test_ours_is_taken_over_and_not_twice(waits: bool) -> None:
    gate, state = DeploymentGate("ours", waits), State()
    assert gate.obey(state, record("ours", 4), PLACE, 0)
    assert state == State("ours", 4)
    assert not gate.obey(state, record("ours", 4), PLACE, 1)
    assert not gate.obey(state, record("former", 3), PLACE, 2), "a replayed record must not stop a stage"
    assert state == State("ours", 4)


def test_a_stage_that_waits_passes_over_what_lies_before_its_own() -> None:
    gate, state = DeploymentGate("ours", waits=True), State()
    assert gate.obey(state, record("former", 1), PLACE, 0)
    assert state == State("former", 1)
    assert gate.obey(state, record("another", 2), PLACE, 1)
    assert gate.obey(state, record("ours", 3), PLACE, 2)
    with pytest.raises(DeploymentMismatch, match=r"is at deployment later \(at offset 9\), this worker has ours"):
        gate.obey(state, record("later", 4), PLACE, 9)
    assert state == State("ours", 3), "the slice before it is not written yet"


@pytest.mark.parametrize("before", ["", "ours", "former"])
def test_a_stage_that_does_not_wait_stops_at_any_other(before: str) -> None:
    gate, state = DeploymentGate("ours"), State(before, 1)
    with pytest.raises(DeploymentMismatch, match="start a worker with the definitions of later"):
        gate.obey(state, record("later", 2), PLACE, 0)
    assert state == State(before, 1)


def test_the_number_of_a_deployment_from_before_there_were_numbers_is_0() -> None:
    gate, state = DeploymentGate("ours"), State()
    assert gate.obey(state, record("ours", None), PLACE, 0)
    assert gate.obey(state, record("ours", None), PLACE, 1), "it looks like a replayed record"
    assert state == State("ours", 0)


def test_records_before_the_first_deployment_are_told_so() -> None:
    said = str(DeploymentGate("ours").mismatch("", PLACE, 7))
    assert said.startswith("labelled-examples[3] has records before the first deployment of this log (at offset 7)")
    assert "tidecast deploy" in said
