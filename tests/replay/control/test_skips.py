"""A control record that cannot be obeyed is passed over where a record says so, and nowhere else."""

from dataclasses import replace

import pytest

from streams.errors import DeploymentMismatch, NoSnapshot
from streams.log import Output
from streams.models.memory import MemoryModelStore
from streams.replay import replay
from streams.scoring.stage import Scoring
from streams.state.memory import MemoryScoringStore
from streams.timeline import PartitionHeader
from tests.replay.world import DAY, KEY, USE_CASE, Log, decoded, deployment


def poisoned(kind: str) -> Log:
    """Return a log whose fourth record is rightly signed and cannot be obeyed."""
    log = Log()
    log.deploy()
    log.tick(DAY)
    log.tick(DAY + 1)
    if kind == "switch":
        switch = {"version": "silent/logistic.1@9", "command": 0, "offset": 9, "digest": b"d" * 32}
        log.control(
            "tidecast.Switch",
            {**switch, "target": "silent", "arm": "logistic", "snapshot": f"silent/logistic/1/{9:020d}.snapshot"},
        )
    else:
        log.control("tidecast.Deployment", {**deployment().to_record(), "deployment_id": "other", "number": 9})
    log.say("small.Visit", event_id="a", customer_id="c0", occurred_at=DAY, seconds=None)
    log.tick(DAY + 2)
    return log


def run(log: Log, *skips: tuple[int, int]) -> tuple[MemoryScoringStore, list[Output]]:
    store = MemoryScoringStore()
    deployed = replace(deployment(), skips=frozenset(skips))
    stage = Scoring(USE_CASE, deployed, store, log.codec, MemoryModelStore(), KEY)
    return store, [output for outputs in replay(stage, log.logs) for output in outputs]


@pytest.mark.parametrize(("kind", "error"), [("switch", NoSnapshot), ("deployment", DeploymentMismatch)])
def test_a_poisoned_record_stops_its_partition_until_it_is_passed_over(kind, error):
    log = poisoned(kind)
    with pytest.raises(error):
        run(log)
    with pytest.raises(error):
        run(log, (0, 3), (1, 2))  # another one than that of partition 1
    store, outputs = run(log, (0, 3), (1, 3))
    letters = decoded(log, outputs, "DeadLetter")
    assert [(x["reason"], x["source"]["offset"]) for x in letters] == [("bad_control", 3)] * 2
    assert "tidecast log skip" in letters[0]["detail"]
    headers = [PartitionHeader.unpack(packed) for _, packed in store.positions([0, 1]).values()]
    assert {header.last_tick for header in headers} == {DAY + 2}
    assert sum(header.counters["accepted"] for header in headers) == 1
    assert all(header.deployment_id == deployment().deployment_id for header in headers)
