"""Judging keeps its invariants and agrees with slow oracles."""

import math
import random
from dataclasses import replace
from typing import Any

import pytest

from schemas.topics import DRIFT_ALERTS, MODEL_METRICS
from streams.errors import DeploymentMismatch, PositionConflict
from streams.identity import Position
from streams.judging.stage import Judging
from streams.log import Output
from streams.replay import Fingerprints, replay
from streams.state.memory import MemoryStageStore
from streams.usecases import Arm, Logistic, PriorRate
from tests.replay.examples import KEY, ExampleLog, stormy, use_case

ARMS = (
    Arm("logistic", Logistic(), role="champion"),
    Arm("second", Logistic(), role="challenger"),
    Arm("prior", PriorRate(), role="naive"),
)


def judge(log: ExampleLog, store: MemoryStageStore) -> Judging:
    return Judging(log.use_case, log.deployment, store, log.codec, KEY)


def calm(log: ExampleLog, batch: int = 2000) -> tuple[MemoryStageStore, list[Output]]:
    store = MemoryStageStore()
    pieces = replay(judge(log, store), {log.partition: log.records}, batch)
    return store, [output for outputs in pieces for output in outputs]


def records(log: ExampleLog, outputs: list[Output], topic: str) -> list[dict[str, Any]]:
    return [log.codec.decode(output.value)[1] for output in outputs if output.topic == topic]


def stored(log: ExampleLog, store: MemoryStageStore) -> tuple[Position, bytes]:
    found = store.read("judging", *log.partition)
    assert found is not None
    return found


def drifting(kind: str = "binary", examples: int = 2600, shift: int = 1200, seed: int = 0) -> ExampleLog:
    """Return a log whose champion answers well until `shift` and badly afterwards. The challenger does not change."""
    arms = ARMS if kind == "binary" else tuple(replace(arm, model=PriorRate()) for arm in ARMS)
    log, rng = ExampleLog(use_case(kind, arms=arms), seed=seed), random.Random(seed)
    for i in range(examples):
        if kind == "binary":
            p = rng.random()
            label = float(rng.random() < p)
            answers = {"logistic": p if i < shift else 1 - p, "second": p, "prior": 0.5}
        else:
            label = rng.gauss(10, 1)
            wide = rng.gauss(0, 1 if i < shift else 3)
            answers = {"logistic": label + wide, "second": label + rng.gauss(0, 1), "prior": 9.0}
        log.example(label=label, answers=answers)
        if i % 20 == 0:
            log.progress()
    return log


@pytest.mark.parametrize("kind", ["binary", "regression"])
def test_crashes_and_batches_leave_no_trace(kind: str) -> None:
    log = drifting(kind)
    for again in log.records[-3:]:
        log.raw(again.value)
    log.raw(b"nonsense")
    calm_store, calm_outputs = calm(log)
    whole = Fingerprints(log.codec)
    for output in calm_outputs:
        whole.add(*output[:2], output.value)
    assert whole.repeated == 0 and len(records(log, calm_outputs, DRIFT_ALERTS)) >= 1
    repeated = 0
    for seed in range(4):
        store, seen = MemoryStageStore(), Fingerprints(log.codec)
        for output in stormy(lambda store=store: judge(log, store), log, seed, 0.4):
            seen.add(*output[:2], output.value)
        assert seen.difference(whole) is None
        assert stored(log, store) == stored(log, calm_store)
        repeated += seen.repeated
    assert repeated > 0


def test_binary_metrics_equal_the_definitions() -> None:
    rng = random.Random(1)
    log = ExampleLog(use_case(arms=ARMS))
    pairs = []
    for _ in range(1250):
        p = rng.choice([0.0, 0.5, 1.0, rng.random(), rng.random(), rng.random()])
        y = float(rng.random() < 0.2 + 0.6 * p)
        pairs.append((p, y))
        log.example(label=y, answers={"logistic": p, "second": 0.5, "prior": 0.2})
    _, outputs = calm(log)
    found = records(log, outputs, MODEL_METRICS)
    assert len(found) == 12 * len(ARMS) * 2
    last = {(r["arm"], r["span"]): r for r in found[-6:]}
    for span, part in (("total", pairs[:1200]), ("recent", pairs[200:1200])):
        record = last["logistic", span]
        values = record["values"]
        cut = [(min(max(p, 1e-15), 1 - 1e-15), y) for p, y in part]
        loss = -sum(math.log(p if y else 1 - p) for p, y in cut) / len(part)
        assert values["log_loss"] == pytest.approx(loss, rel=1e-9)
        assert values["accuracy"] == sum((p > 0.5) == (y == 1) for p, y in part) / len(part)
        wins = [(a > b) + (a == b) / 2 for a, y in part if y for b, z in part if not z]
        auc = sum(wins) / len(wins)
        assert abs(values["roc_auc"] - auc) <= values.get("roc_auc_error", 1e-12)
        assert values.get("roc_auc_error", 0.0) < 0.05
        assert (record["count"], record["examples"]) == (len(part), 1200)
    assert last["second", "total"]["values"]["roc_auc"] == 0.5
    assert last["prior", "recent"]["role"] == "naive"


def test_regression_metrics_equal_the_definitions() -> None:
    log = drifting("regression", examples=1100, shift=10**9)
    _, outputs = calm(log)
    examples = [log.codec.decode(r.value) for r in log.records]
    pairs = [
        (next(a["value"] for a in e["answers"] if a["arm"] == "logistic"), e["label"])
        for name, e in examples
        if name == "tidecast.LabelledExample"
    ]
    found = records(log, outputs, MODEL_METRICS)
    last = {(r["arm"], r["span"]): r for r in found[-6:]}
    for span, part in (("total", pairs), ("recent", pairs[100:])):
        errors = [p - y for p, y in part]
        values = last["logistic", span]["values"]
        assert values["mae"] == pytest.approx(sum(map(abs, errors)) / len(part))
        assert values["rmse"] == pytest.approx(math.sqrt(sum(e * e for e in errors) / len(part)))
        assert values["bias"] == pytest.approx(sum(errors) / len(part))


def test_an_alert_opens_once_and_closes_once() -> None:
    log = drifting()
    _, outputs = calm(log)
    alerts = records(log, outputs, DRIFT_ALERTS)
    assert [(a["arm"], a["state"], a["severity"]) for a in alerts] == [
        ("logistic", "open", "critical"),
        ("logistic", "closed", "critical"),
    ]
    opened, closed = alerts
    assert opened["alert_id"] == closed["alert_id"]
    source = opened["source"]
    coordinate = [source[k] for k in ("topic", "epoch", "partition", "offset", "ordinal")]
    assert opened["alert_id"] == ".".join(map(str, coordinate))
    assert opened["value"] > opened["threshold"] > 0
    assert closed["evidence"]["calm"] == 1.0
    assert 0 < opened["evidence"]["matured"] < 1
    shift = next(i for i, r in enumerate(log.records) if r.offset == source["offset"])
    begun = [i for i, r in enumerate(log.records) if b"logistic" in (r.value or b"")][1200]
    assert begun < shift < begun + 300
    assert opened["window_from"] < opened["window_to"]


def test_matured_is_settled_of_opened_over_all_sources() -> None:
    log = ExampleLog(use_case(arms=ARMS))
    for i in range(200):
        log.example()
        if i == 150:
            for _ in range(30):
                log.progress()
    _, outputs = calm(log)
    first, *_, last = records(log, outputs, MODEL_METRICS)
    assert math.isnan(first["matured"]) and last["matured"] == 151 / (151 + 3 * 5)


def test_an_example_without_every_arm_is_not_judged() -> None:
    log = ExampleLog(use_case(arms=ARMS))
    for _ in range(99):
        log.example()
    log.example(answers={"logistic": 0.5})
    store, outputs = calm(log)
    assert not outputs
    log.example()
    list(replay(judge(log, store), {log.partition: log.records}))
    assert len(calm(log)[1]) == 6


def test_later_definitions_stop_it_behind_what_was_read() -> None:
    log = ExampleLog(use_case(arms=ARMS)).fill(50)
    arms = (*ARMS, Arm("third", Logistic(), role="shadow"))
    new = ExampleLog(use_case(arms=arms), former=(log.deployment.deployment_id,))
    offset = len(log.records)
    log.deploy(new.deployment)
    log.example()
    store = MemoryStageStore()
    with pytest.raises(DeploymentMismatch, match=new.deployment.deployment_id):
        list(replay(judge(log, store), {log.partition: log.records}))
    assert stored(log, store)[0] == Position(offset)
    for begun in (store, MemoryStageStore()):  # also where no worker of the former definitions has been
        list(replay(Judging(new.use_case, new.deployment, begun, log.codec, KEY), {log.partition: log.records}))
        assert stored(log, begun)[0] == Position(len(log.records))
    stranger = Judging(new.use_case, new.deployment.alone(), MemoryStageStore(), log.codec, KEY)
    with pytest.raises(DeploymentMismatch, match=log.deployment.deployment_id):
        list(replay(stranger, {log.partition: log.records}))


def test_what_was_sent_twice_counts_once() -> None:
    log = ExampleLog(use_case(arms=ARMS))
    for _ in range(200):
        log.example()
    again = ExampleLog(use_case(arms=ARMS))
    again.codec = log.codec
    for record in log.records:
        again.raw(record.value)
        if len(again.records) % 7 == 0:
            for sent in log.records[max(len(again.records) // 2, 1) : record.offset + 1]:
                again.raw(sent.value)
    once, twice = (
        [(r["values"], r["examples"]) for r in records(each, calm(each)[1], MODEL_METRICS)] for each in (log, again)
    )
    assert once == twice and len(once) == 12


def test_two_owners_cannot_both_write() -> None:
    log = ExampleLog(use_case(arms=ARMS)).fill(50)
    store = MemoryStageStore()
    one, other = judge(log, store), judge(log, store)
    one.assign([log.partition])
    other.assign([log.partition])
    (first,) = one.process({log.partition: log.records[:30]})
    first.commit()
    (second,) = other.process({log.partition: log.records[:40]})
    with pytest.raises(PositionConflict):
        second.commit()


def test_the_stored_state_is_bounded() -> None:
    log = drifting(examples=3000)
    store, _ = calm(log)
    assert len(stored(log, store)[1]) < 16_100 + len(ARMS) * 25_000
