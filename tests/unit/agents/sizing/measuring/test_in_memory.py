"""The replays that measure the stages use records that the stages accept."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from agents.sizing.constants import NAMES
from agents.sizing.measuring import in_memory
from agents.sizing.measuring.job import ASKED, EXAMPLES, KEY, PLACE, Job, JobReplay
from streams.judging.stage import Judging
from streams.replay import replay
from streams.state.memory import MemoryStageStore
from streams.timeline import PartitionHeader

SMALL = Job(events=2_000, customers=100, observe=1.0)


def test_every_event_is_asked_about() -> None:
    made = JobReplay(Job(events=200, targets=2))
    read = [made.codec.decode(r.value)[0] for place, found in made.outputs().items() for r in found]
    assert read.count("tidecast.Prediction") == 2 * 200


def test_what_is_observed_is_settled() -> None:
    examples = JobReplay(SMALL).outputs()[EXAMPLES]
    assert len(examples) > SMALL.events / 2


def test_examples_are_learnt_and_judged() -> None:
    replayed_job = JobReplay(SMALL)
    examples = replayed_job.outputs()[EXAMPLES]
    learner = replayed_job.learner(0)
    for _ in replay(learner, {EXAMPLES: examples}):
        pass
    assert learner.examples > SMALL.events / 2
    judging = Judging(replayed_job.case, replayed_job.deployment, MemoryStageStore(), replayed_job.codec, KEY)
    assert sum(len(outputs) for outputs in replay(judging, {EXAMPLES: examples})) > 10


def test_switches_make_scoring_answer_with_what_was_learnt() -> None:
    made = JobReplay(Job(events=2_000, customers=100, observe=1.0, arms=2, serve_every=100))
    _, prediction = made.codec.decode(made.outputs(made.switches())[ASKED][-1].value)
    assert [answer["version"].endswith("@-1") for answer in prediction["answers"]] == [False, False]


def test_progress_and_switches_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    logs: list[tuple[Any, Sequence[Any]]] = []

    def kept(stage: Any, place: object, log: Sequence[Any]) -> float:
        for _ in replay(stage, {place: log}):  # type: ignore[dict-item]
            pass
        logs.append((stage, log))
        return 1.0

    monkeypatch.setattr(in_memory, "cpu_us_per_record", kept)
    monkeypatch.setattr(in_memory, "SWITCHES", 50)
    monkeypatch.setattr(in_memory, "PROGRESSES", 50)
    measured: Sequence[Callable[[], float]] = (in_memory._switches, in_memory._progress)
    for one in measured:
        one()
    (scoring, switches), (learner, _) = logs
    header = PartitionHeader.unpack(scoring._committed[PLACE.partition][1])
    assert header.counters["controls"] == len(switches) == 50
    assert learner.skipped == 0


def test_every_constant_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(in_memory, "_least", lambda costs: dict.fromkeys(costs, 1.0))
    known = {"scoring_cpu_us_per_answer_linear": 0.1, "learning_cpu_us_per_learn_naive": 0.1}
    assert {*in_memory.stage_constants(known)} <= {*NAMES}
