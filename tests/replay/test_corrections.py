"""An outcome after its question is settled corrects the label. It is learnt when the target allows it."""

import random
from typing import Any

import pytest

from streams.judging.state import new_state
from streams.state.memory import MemoryScoringStore
from streams.targets import observations
from streams.timeline import PartitionHeader
from tests.replay.examples import ExampleLog, use_case
from tests.replay.test_judging import calm as judged
from tests.replay.test_judging import stored
from tests.replay.test_scoring import calm, contents, seen, stormy
from tests.replay.world import DAY, HOUR, LATENESS, PARTITIONS, Log, decoded


def visited(at: int = 0) -> Log:
    log = Log()
    log.deploy()
    log.say("small.Visit", event_id=f"e{at}", customer_id="c", occurred_at=at, seconds=None)
    return log


def asked(log: Log) -> list[dict[str, Any]]:
    return [p for p in decoded(log, calm(log)[1], "Prediction") if p["target"] == "told"]


def examples(log: Log) -> list[dict[str, Any]]:
    return [e for e in decoded(log, calm(log)[1], "LabelledExample") if e["target"] == "told"]


def tell(log: Log, question: dict[str, Any], value: float, name: str, after: int = HOUR) -> None:
    about = {"customer_id": question["customer_id"], "target": "told", "prediction_id": question["prediction_id"]}
    log.say("tidecast.Outcome", outcome_id=name, occurred_at=question["asked_at"] + after, value=value, **about)


def counters(log: Log) -> dict[str, int]:
    found = calm(log)[0].positions(range(PARTITIONS)).values()
    headers = [PartitionHeader.unpack(packed).counters for _, packed in found]
    return {name: sum(header[name] for header in headers) for name in headers[0]}


def test_a_later_different_outcome_is_one_more_example_of_the_same_question() -> None:
    log = visited()
    [question] = asked(log)
    tell(log, question, 0.0, "first")
    tell(log, question, 0.0, "says the same")
    tell(log, question, 1.0, "otherwise")
    tell(log, question, 1.0, "otherwise")
    tell(log, question, 0.0, "back again")
    found = examples(log)
    assert [(e["label"], e["settled_by"]) for e in found] == [(0, "outcome"), (1, "correction"), (0, "correction")]
    assert len({e["example_id"] for e in found}) == 3
    assert [e["previous"] for e in found[1:]] == [e["example_id"] for e in found[:-1]]
    assert {repr((e["vector"], e["answers"])) for e in found} == {repr((question["vector"], question["answers"]))}
    told = counters(log)
    assert (told["accepted"], told["duplicate"], told["corrections"], told["unmatched"]) == (5, 1, 2, 0)


def test_a_default_may_be_corrected_until_its_time_is_over() -> None:
    #  asked 0     default at 2 d               until 6 d
    #     |-------------|--------------------------|
    for last_tick, expected in ((6 * DAY + LATENESS, [0, 1]), (6 * DAY + LATENESS + 1, [0])):
        log = visited()
        [question] = asked(log)
        log.tick(last_tick)
        tell(log, question, 1.0, "late")
        assert [e["label"] for e in examples(log)] == expected
        assert counters(log)["unmatched"] == 2 - len(expected)
    assert not calm(log)[0].load({0: ["c"], 1: ["c"]})[1]["c"].observations


def test_what_names_no_prediction_or_lies_outside_of_the_question_corrects_nothing() -> None:
    log = visited()
    [question] = asked(log)
    tell(log, question, 0.0, "first")
    log.tick(DAY)
    tell(log, {**question, "prediction_id": None}, 1.0, "of no prediction")
    tell(log, {**question, "prediction_id": "7.0.0.0"}, 1.0, "of another")
    tell(log, question, 1.0, "before it was asked", after=0)
    assert len(examples(log)) == 1


def test_how_many_may_be_corrected_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observations, "MOST_SETTLED", 2)
    log = visited()
    for n in range(1, 4):
        log.say("small.Visit", event_id=f"v{n}", customer_id="c", occurred_at=n, seconds=None)
    questions = asked(log)
    for number, question in enumerate(questions):
        tell(log, question, 0.0, f"first {number}")
    for number, question in enumerate(questions):
        tell(log, question, 1.0, f"otherwise {number}")
    corrected = [e["prediction_id"] for e in examples(log) if e["settled_by"] == "correction"]
    assert corrected == [question["prediction_id"] for question in questions[-2:]]


@pytest.mark.parametrize("seed", range(6))
def test_batches_caches_and_crashes_leave_no_trace(seed: int) -> None:
    r = random.Random(seed)
    log = Log()
    log.deploy()
    for n in range(12):
        now = n * DAY
        for customer in range(4):
            visit = {"event_id": f"e{n}.{customer}", "customer_id": f"c{customer}", "occurred_at": now}
            log.say("small.Visit", **visit, seconds=None)
        for number, question in enumerate(r.sample(asked(log), 4)):
            tell(log, question, float(r.random() < 0.5), f"o{n}.{number}", r.randrange(1, 2 * DAY))
        log.tick(now)
    store, outputs = calm(log)
    assert counters(log)["corrections"] > 5
    other = MemoryScoringStore()
    repeated = stormy(log, seed, other)
    assert contents(other) == contents(store)
    assert seen(log, repeated).difference(seen(log, outputs)) is None


def test_a_correction_is_not_judged_once_more() -> None:
    log = ExampleLog(use_case())
    for _ in range(50):
        log.example()
    for _ in range(5):
        log.example(settled_by="correction")
    store, _ = judged(log)
    position, packed = stored(log, store)
    state = new_state(log.target, log.use_case, PARTITIONS)
    state.unpack(packed)
    assert (state.examples, state.skipped, state.incomplete, len(state.labels)) == (50, 0, 0, 50)
    assert position.offset == len(log.records)
