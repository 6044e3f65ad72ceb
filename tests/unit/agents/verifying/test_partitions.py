"""The check of a stage with one value per partition. It runs on the counting stage and stores in memory."""

from typing import Any

import pytest

from agents.settings import Settings
from agents.stages import StageRow, Store
from agents.verifying.finding import Finding
from agents.verifying.live import Live
from agents.verifying.partitions import PartitionsCheck
from agents.wiring import Wiring
from streams.log import Record, TopicPartition
from streams.models.memory import MemoryModelStore
from streams.replay import replay
from streams.state.memory import MemoryStageStore
from tests.integration.runtime.counting.stage import SINK, SOURCE, Counting

COUNTING = StageRow(
    name="counting",
    topics=(SOURCE,),
    outputs=(SINK,),
    build=lambda wiring: {"tidecast-counting": Counting(wiring.stage_store, only=0)},
    store=Store.PARTITIONS,
    state="counts and checksums",
    results="offsets",
    process="watching",
)
READ, OTHER, WRITTEN = TopicPartition(SOURCE, 0), TopicPartition(SOURCE, 1), TopicPartition(SINK, 0)
LOG = [Record(offset, 0, b"c", b"event %d" % offset) for offset in range(5)]


class Offsets:
    """A codec of the counting stage's outputs. An output is the offset of its source record."""

    def decode(self, value: bytes | None, expected: Any = None) -> tuple[str, Any]:
        coordinate = {"topic": SOURCE, "epoch": 0, "partition": 0, "offset": int(value or b""), "ordinal": 0}
        return "offset", {"source": coordinate}


class Partitions:
    """A reader that returns the existing partitions."""

    def partitions(self, topic: str) -> list[TopicPartition]:
        return [TopicPartition(topic, 0), TopicPartition(topic, 1)]


class AllOwned:
    """A deployment that owns every partition."""

    def owns(self, topic: str, partition: int) -> bool:
        return True

    def alone(self) -> "AllOwned":
        return self


@pytest.fixture
def live() -> Live:
    """Create a system in which a worker has counted the log."""
    settings = Settings(
        kafka="k:1", registry="http://r", redis_url="redis://r", clickhouse_url="http://c", model_store="memory://m"
    )
    made = Live(settings, None, AllOwned(), Partitions())  # type: ignore[arg-type]
    made.codec, made.models, made.stage_store = Offsets(), MemoryModelStore(), MemoryStageStore()  # type: ignore[assignment]
    for _ in replay(COUNTING.build(made)[COUNTING.group], {READ: LOG}):
        pass
    return made


def verified(live: Wiring, log: list[Record] = LOG, outputs: tuple[int, ...] = (0, 1, 2, 3, 4)) -> dict[str, Finding]:
    assert isinstance(live, Live)
    check = PartitionsCheck(live, COUNTING)
    assert check.wants(READ) and check.wants(WRITTEN) and not check.wants(OTHER)
    check.feed(READ, log)
    check.feed(WRITTEN, [Record(at, 0, None, b"%d" % offset) for at, offset in enumerate(outputs)])
    return {finding.name: finding for finding in check.findings()}


def test_what_a_worker_left_is_what_a_replay_makes(live: Live) -> None:
    found = verified(live, outputs=(0, 1, 2, 1, 2, 3, 4))
    assert [(f.name, f.what, f.compared, f.differing) for f in found.values()] == [
        ("counting/state", "counts and checksums", 1, 0),
        ("counting/outputs", "offsets by id", 5, 0),
    ]
    assert found["counting/outputs"].repeated == 2


def test_a_value_that_a_replay_does_not_make_differs(live: Live) -> None:
    changed = [*LOG[:2], LOG[2]._replace(value=b"another"), *LOG[3:]]
    state = verified(live, changed)["counting/state"]
    assert state.differing and not state.lagging
    assert "counting of customer-events[0]: state at 5.0, the replay's at 5.0, differs" in state.differences[0]


def test_a_worker_is_compared_as_far_as_it_has_come(live: Live) -> None:
    more = [*LOG, LOG[0]._replace(offset=5), LOG[0]._replace(offset=6)]
    found = verified(live, more, outputs=(0, 1, 2, 3, 4, 5))  # killed after it had sent the output of the next record
    assert [(f.differing, f.lagging, f.left) for f in found.values()] == [(0, False, 2), (0, False, 0)]


def test_a_stage_without_a_position_is_not_called_identical(live: Live) -> None:
    live.stage_store = MemoryStageStore()
    state = verified(live)["counting/state"]
    assert (state.differing, state.lagging, state.left) == (1, True, 5)
    assert "counting of customer-events[0] has no position, and 5 records are left" in state.differences[0]


def test_an_output_that_is_missing_differs(live: Live) -> None:
    assert verified(live, outputs=(0, 1, 3, 4))["counting/outputs"].differing
