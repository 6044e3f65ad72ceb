"""Records that try to stop the workers or to exhaust their memory."""

from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest

from schemas.topics import DEAD_LETTERS, LABELLED_EXAMPLES
from streams.control import sign
from streams.errors import DeploymentMismatch
from streams.judging.stage import Judging
from streams.learning.stage import Learning
from streams.log import Output, Record, TopicPartition
from streams.models.memory import MemoryModelStore
from streams.replay import replay
from streams.scoring import timers
from streams.scoring.working_set.cache import LARGEST_KEPT
from streams.state.memory import MemoryScoringStore, MemoryStageStore
from streams.targets import observations
from streams.timeline import PartitionHeader
from tests.replay.world import (
    DAY,
    HOUR,
    KEY,
    PARTITIONS,
    USE_CASE,
    Log,
    decoded,
    deployment,
    random_log,
    scoring,
)

LONG_AGO = -62_000_000_000_000  # the year 5


def run(log: Log, cache: int = 1000, batch: int = 2000) -> tuple[list[Output], MemoryScoringStore]:
    store = MemoryScoringStore()
    stage = scoring(log, store, cache)
    return [output for outputs in replay(stage, log.logs, batch) for output in outputs], store


def values(outputs: list[Output]) -> list[tuple[str, int, bytes]]:
    return sorted((output.topic, output.partition, output.value) for output in outputs)


def counters(store: MemoryScoringStore) -> dict[str, int]:
    found: dict[str, int] = {}
    for _, packed in store.positions(range(PARTITIONS)).values():
        for name, count in PartitionHeader.unpack(packed).counters.items():
            found[name] = found.get(name, 0) + count
    return found


def largest(store: MemoryScoringStore) -> int:
    """Return the packed size of the largest customer in bytes."""
    kept = [store.load({p: store.customers([p])[p]})[p].values() for p in range(PARTITIONS)]
    return max(len(c.state or b"") + len(c.observations or b"") for found in kept for c in found)


def deployed(log: Log, **other: Any) -> dict[str, Any]:
    return replace(deployment(), **other).to_record()


# -- deployments


@pytest.mark.parametrize("number", [1, 2, None])
def test_a_former_deployment_put_in_again_stops_nobody(number: int | None) -> None:
    log = Log()
    log.control("tidecast.Deployment", deployed(log, number=2))
    log.control("tidecast.Deployment", {**deployed(log, deployment_id="former"), "number": number})
    log.say("small.Visit", event_id="e", customer_id="c", occurred_at=1, seconds=None)
    _, store = run(log)
    assert counters(store)["accepted"] == 1
    assert counters(store)["controls"] == 2 * PARTITIONS


def test_a_later_deployment_still_ends_workers_of_the_one_before() -> None:
    for first, second in ((None, None), (None, 5), (4, 5)):
        log = Log()
        log.control("tidecast.Deployment", {**deployed(log), "number": first})
        log.control("tidecast.Deployment", {**deployed(log, deployment_id="later"), "number": second})
        with pytest.raises(DeploymentMismatch, match="later"):
            run(log)


def examples_log(log: Log, *records: dict[str, Any]) -> dict[TopicPartition, list[Record]]:
    place = TopicPartition(LABELLED_EXAMPLES, 0)
    signed = [sign("tidecast.Deployment", record, KEY, *place) for record in records]
    values = [log.codec.encode("tidecast.Deployment", record) for record in signed]
    return {place: [Record(offset, 0, None, value) for offset, value in enumerate(values)]}


def test_learners_and_judges_pass_over_a_former_deployment() -> None:
    log, target = Log(), USE_CASE.targets[0]
    logs = examples_log(log, deployed(log, number=2), {**deployed(log, deployment_id="former"), "number": 1})
    learner = Learning(USE_CASE, target, target.arms[0], deployment(), MemoryModelStore(), log.codec, KEY)
    list(replay(learner, logs))
    assert learner.skipped == 1
    list(replay(Judging(USE_CASE, deployment(), MemoryStageStore(), log.codec, KEY), logs))


def test_a_judge_that_comes_back_still_knows_the_number() -> None:
    log, store = Log(), MemoryStageStore()
    logs = examples_log(log, deployed(log, number=2), {**deployed(log, deployment_id="former"), "number": 1})
    for upto in (1, 2):  # the second judge starts from the state that the first one stored
        part = {place: records[:upto] for place, records in logs.items()}
        list(replay(Judging(USE_CASE, deployment(), store, log.codec, KEY), part))


# -- switches


@pytest.mark.parametrize(
    "lie",
    [
        {"snapshot": "../../etc/passwd"},
        {"snapshot": "/etc/passwd"},
        {"snapshot": ""},
        {"version": "silent/logistic.1@8"},
        {"version": "leaves/logistic.1@7"},
        {"version": "nonsense"},
        {"version": "silent/logistic.x@7"},
        {"offset": 8},
    ],
)
def test_a_switch_that_contradicts_itself_is_a_dead_letter(lie: dict[str, Any]) -> None:
    log = Log()
    log.deploy()
    good = {"target": "silent", "arm": "logistic", "version": "silent/logistic.1@7", "command": 0, "offset": 7}
    path = f"silent/logistic/1/{7:020d}.snapshot"
    log.control("tidecast.Switch", {**good, "snapshot": path, "digest": sha256(b"").digest(), **lie})
    outputs, _ = run(log)
    assert {letter["reason"] for letter in decoded(log, outputs, "DeadLetter")} == {"bad_control"}


# -- sizes


def test_what_a_dead_letter_quotes_and_holds_is_bounded() -> None:
    log = Log()
    log.deploy()
    outcome = {"outcome_id": "o", "customer_id": "c", "occurred_at": 1, "value": 1.0}
    log.say("tidecast.Outcome", **outcome, target="\1" * 900_000)  # JSON would make it several times longer
    log.raw(0, b"k" * 2_000_000, b"v" * 3_000_000)
    outputs, _ = run(log)
    letters = [output for output in outputs if output.topic == DEAD_LETTERS]
    assert len(letters) == 2 and all(len(letter.value) < 1_000_000 for letter in letters)
    large = next(letter for letter in decoded(log, outputs, "DeadLetter") if letter["reason"] == "too_large")
    assert (large["key"], large["value"]) == (None, None)
    assert large["source"]["offset"] == 1 + (letters[0].partition == letters[1].partition)


def test_no_store_is_asked_for_a_key_that_no_customer_can_have() -> None:
    log, asked = Log(), []
    log.deploy()
    log.raw(0, b"k" * 900_000, b"")

    class Watched(MemoryScoringStore):
        def load(self, wanted: Any, at: Any = None) -> Any:
            asked.extend(name for names in wanted.values() for name in names)
            return super().load(wanted, at)

    list(replay(scoring(log, Watched()), log.logs))
    assert not asked


# -- one customer with too much data


def busy(events: int) -> Log:
    """Return a log of one customer who asks two questions with every event. All events are within one minute, so
    nothing is settled."""
    log = Log()
    log.deploy()
    for n in range(events):
        log.say("small.Visit", event_id=f"e{n}", customer_id="c", occurred_at=n, seconds=None)
    return log


def test_open_observations_are_bounded_and_the_questions_still_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observations, "MOST_OPEN", 10)
    log = busy(25)
    log.tick(60 * DAY)  # all observations are closed
    outputs, store = run(log)
    asked = [p for p in decoded(log, outputs, "Prediction") if p["asked_by"] == "Visit"]
    for target in ("spend", "told"):
        observed = [p["observed"] for p in asked if p["target"] == target]
        assert observed == [True] * 10 + [False] * 15
        settled = [e for e in decoded(log, outputs, "LabelledExample") if e["target"] == target]
        assert len(settled) == 10
    assert counters(store)["unobserved"] == 30


def test_room_comes_back_when_observations_are_settled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observations, "MOST_OPEN", 1)
    log = Log()
    log.deploy()
    for n in range(3):
        log.say("small.Visit", event_id=f"e{n}", customer_id="c", occurred_at=n * 10 * DAY, seconds=None)
        log.tick(n * 10 * DAY + 8 * DAY)
    outputs, _ = run(log)
    asked = [p for p in decoded(log, outputs, "Prediction") if p["target"] == "spend"]
    assert [p["observed"] for p in asked] == [True] * 3


def test_early_outcomes_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observations, "MOST_EARLY", 5)
    log = Log()
    log.deploy()
    for n in range(8):
        outcome = {"outcome_id": f"o{n}", "customer_id": "c", "target": "told", "occurred_at": 5, "value": 1.0}
        log.say("tidecast.Outcome", **outcome)
    outputs, store = run(log)
    assert [letter["reason"] for letter in decoded(log, outputs, "DeadLetter")] == ["too_large"] * 3
    assert (counters(store)["accepted"], counters(store)["dead"]) == (5, 3)


def test_an_outcome_with_a_question_finds_it_even_where_no_more_may_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observations, "MOST_EARLY", 0)
    log = busy(1)
    log.say("tidecast.Outcome", outcome_id="o", customer_id="c", target="told", occurred_at=HOUR, value=1.0)
    outputs, _ = run(log)
    assert [e["settled_by"] for e in decoded(log, outputs, "LabelledExample")] == ["outcome"]


def test_one_event_of_long_ago_does_not_ask_for_every_day_since() -> None:
    log = Log()
    log.deploy()
    log.say("small.Visit", event_id="e", customer_id="c", occurred_at=LONG_AGO, seconds=None)
    log.tick(0)
    outputs, store = run(log)
    daily = [p for p in decoded(log, outputs, "Prediction") if p["target"] == "leaves"]
    assert len(daily) == timers.MOST_MISSED + 1
    assert daily[-1]["asked_at"] > -DAY and daily[1]["asked_at"] > -DAY * (timers.MOST_MISSED + 1)
    assert {p["asked_at"] % DAY for p in daily} == {daily[0]["asked_at"] % DAY}
    assert counters(store)["unasked"] == -(LONG_AGO // DAY) - len(daily)


def test_a_schedule_that_rests_is_asked_until_it_rests() -> None:
    """`silent` rests nine days after the customer's last event. Every question before that is asked."""
    log = Log()
    log.deploy()
    log.say("small.Visit", event_id="e", customer_id="c", occurred_at=LONG_AGO, seconds=None)
    log.tick(0)
    outputs, _ = run(log)
    asked = [p for p in decoded(log, outputs, "Prediction") if p["target"] == "silent"]
    assert len(asked) in (4, 5)
    assert max(p["asked_at"] for p in asked) <= LONG_AGO + 9 * DAY


def test_a_slice_ends_when_one_customer_closes_very_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timers, "MOST_OUTPUTS", 20)
    log = busy(30)
    for n in range(5):
        log.say("small.Visit", event_id=f"f{n}", customer_id=f"d{n}", occurred_at=n, seconds=None)
    log.tick(60 * DAY)
    slices = [len(outputs) for outputs in replay(scoring(log, MemoryScoringStore()), log.logs)]
    assert len(slices) > 4
    # one batch and single records give the same outputs under the same ids
    together, one_by_one = run(log)[0], run(log, batch=1)[0]
    assert values(together) == values(one_by_one)


@pytest.mark.parametrize("seed", range(3))
def test_caps_do_not_depend_on_batches_or_caches(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observations, "MOST_OPEN", 3)
    monkeypatch.setattr(observations, "MOST_EARLY", 2)
    monkeypatch.setattr(timers, "MOST_MISSED", 4)
    monkeypatch.setattr(timers, "MOST_OUTPUTS", 7)
    log = random_log(seed)
    calm, odd = run(log), run(log, cache=0, batch=1)
    assert values(calm[0]) == values(odd[0])
    assert counters(calm[1]) == counters(odd[1])
    assert counters(calm[1])["unobserved"] and counters(calm[1])["unasked"]


def test_a_customer_of_many_events_stays_bounded() -> None:
    log = busy(3 * observations.MOST_OPEN)
    _, store = run(log)
    held = largest(store)
    _, more = run(busy(4 * observations.MOST_OPEN))
    assert held < 600_000
    assert abs(largest(more) - held) < 1000


def test_the_cache_does_not_keep_what_is_very_large() -> None:
    log, store = busy(observations.MOST_OPEN), MemoryScoringStore()
    log.say("small.Visit", event_id="e", customer_id="other", occurred_at=1, seconds=None)
    stage = scoring(log, store)
    list(replay(stage, log.logs))
    kept = stage._cache._kept
    assert largest(store) > LARGEST_KEPT
    assert [customer for _, customer in kept] == ["other"]
