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
from streams.judging.state import new_state
from streams.log import Output
from streams.replay import Fingerprints, replay
from streams.state.memory import MemoryStageStore
from streams.usecases import Arm, Logistic, PriorRate
from tests.replay.examples import KEY, PARTITIONS, ExampleLog, stormy, use_case

DAY = 86_400_000

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


def drifting(
    kind: str = "binary", examples: int = 2600, shift: int = 1200, seed: int = 0, back: int = 10**9
) -> ExampleLog:
    """Return a log whose champion answers well until `shift` and from `back` on, and badly in between. The challenger
    does not change."""
    arms = ARMS if kind == "binary" else tuple(replace(arm, model=PriorRate()) for arm in ARMS)
    log, rng = ExampleLog(use_case(kind, arms=arms), seed=seed), random.Random(seed)
    for i in range(examples):
        if kind == "binary":
            p = rng.random()
            label = float(rng.random() < p)
            answers = {"logistic": 1 - p if shift <= i < back else p, "second": p, "prior": 0.5}
        else:
            label = rng.gauss(10, 1)
            wide = rng.gauss(0, 3 if shift <= i < back else 1)
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


@pytest.mark.parametrize("kind", ["binary", "regression"])
def test_an_alert_stays_open_while_the_champion_is_worse_than_the_baseline(kind: str) -> None:
    log = drifting(kind, examples=6000)
    alerts = records(log, calm(log)[1], DRIFT_ALERTS)
    assert [(a["arm"], a["state"]) for a in alerts] == [("logistic", "open")]
    assert alerts[0]["evidence"]["error"] > alerts[0]["evidence"]["baseline_error"]


def test_without_a_baseline_it_stays_open_while_a_constant_would_be_better() -> None:
    arms = tuple(replace(arm, role="shadow") if arm.role == "naive" else arm for arm in ARMS)
    log, rng = ExampleLog(use_case(arms=arms)), random.Random(0)
    for i in range(6000):
        p = rng.random()
        log.example(
            label=float(rng.random() < p), answers={"logistic": p if i < 1200 else 1 - p, "second": p, "prior": 0.5}
        )
    alerts = records(log, calm(log)[1], DRIFT_ALERTS)
    assert [(a["arm"], a["state"]) for a in alerts] == [("logistic", "open")]


def test_an_alert_opens_once_and_closes_once() -> None:
    log = drifting(examples=3600, back=1900)
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
    assert closed["evidence"]["error"] < closed["evidence"]["baseline_error"]
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


def asked_in_cohorts() -> ExampleLog:
    """Return a log of 40 days with 200 questions each, whose label's rate jumps after day 25. Ones are settled at once,
    zeros at the horizon of two days. The answers of the first five days are untrained."""
    log, rng = ExampleLog(use_case(arms=ARMS), seed=3), random.Random(3)
    settled = []
    for day in range(40):
        for _ in range(200):
            asked, p = day * DAY + rng.randrange(DAY), rng.random() * (0.2 if day < 25 else 0.8)
            label = float(rng.random() < p)
            answers = {"logistic": p, "second": 0.3, "prior": 0.1 + asked / DAY / 1000}
            settled.append((asked + (1 if label else 2 * DAY), asked, label, answers, -1 if day < 5 else day))
    settled.sort(key=lambda each: each[0])
    for number, (at, asked, label, answers, version) in enumerate(settled):
        log.example(label=label, answers=answers, version=version, asked_at=asked, outcome_at=at)
        if number % 20 == 0:
            log.progress(at)
    for _ in range(10):
        log.progress(99 * DAY)
    return log


def test_cohorts_are_judged_once_their_horizon_is_over() -> None:
    log = asked_in_cohorts()
    store, outputs = calm(log)
    found = [r for r in records(log, outputs, MODEL_METRICS) if r["span"] == "cohort"]
    assert [r["since"] for r in found[::3]] == [day * DAY for day in range(40)]
    assert all(r["until"] == r["since"] + DAY for r in found)
    for record in found:
        untrained = record["since"] < 5 * DAY
        values = record["values"]
        assert (record["count"], values["untrained"]) == ((0, 200.0) if untrained else (200, 0.0))
        assert values["mean_label"] == pytest.approx(0.1 if record["since"] < 25 * DAY else 0.4, abs=0.12)
        if not untrained:
            wanted = {"logistic": pytest.approx(0.75, abs=0.25), "second": 0.5, "prior": 0.5}[record["arm"]]
            assert values["roc_auc"] == wanted
    totals = {r["arm"]: r["values"] for r in records(log, outputs, MODEL_METRICS) if r["span"] in ("total", "recent")}
    assert totals["prior"]["roc_auc"] == 0.5, "it looks at no feature, and so ranks nobody"
    again = new_state(log.target, log.use_case, PARTITIONS)
    again.unpack(stored(log, store)[1])
    assert again.pack() == stored(log, store)[1]


def test_a_label_rate_that_jumps_is_an_alert() -> None:
    log = asked_in_cohorts()
    alerts = [a for a in records(log, calm(log)[1], DRIFT_ALERTS) if a["kind"] == "label"]
    assert [(a["target"], a["state"], a["statistic"], a["arm"]) for a in alerts] == [("leaves", "open", "rate", None)]
    assert alerts[0]["window_from"] == 25 * DAY and alerts[0]["evidence"]["mean"] > 0.25
    assert "The labels of leaves differ from the reference" in alerts[0]["message"]


def test_crashes_leave_no_trace_in_cohorts() -> None:
    log = asked_in_cohorts()
    calm_store, calm_outputs = calm(log)
    whole = Fingerprints(log.codec)
    for output in calm_outputs:
        whole.add(*output[:2], output.value)
    for seed in range(2):
        store, seen = MemoryStageStore(), Fingerprints(log.codec)
        for output in stormy(lambda store=store: judge(log, store), log, seed, 0.4):
            seen.add(*output[:2], output.value)
        assert seen.difference(whole) is None
        assert stored(log, store) == stored(log, calm_store)
