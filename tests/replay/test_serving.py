"""Scoring with versions from learners. The version that the log has switched to answers, and no other one."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from hashlib import sha256
from math import nan
from typing import Any

import pytest

from schemas.marks import HighWater
from schemas.topics import CUSTOMER_EVENTS, LABELLED_EXAMPLES
from streams.control import sign
from streams.errors import Unavailable
from streams.identity import Position
from streams.learning.stage import Learning
from streams.log import Output, Record, TopicPartition
from streams.models.factory import build_model
from streams.models.linear import LogisticModel
from streams.models.memory import MemoryModelStore
from streams.models.snapshot import Snapshot, dump_snapshot
from streams.models.version import Version
from streams.replay import replay
from streams.scoring.model_cache import ServedModels
from streams.scoring.stage import Scoring
from streams.state.memory import MemoryScoringStore
from streams.timeline import PartitionHeader, Serving
from tests.replay.test_scoring import contents, seen
from tests.replay.world import KEY, PARTITIONS, USE_CASE, Log, decoded, deployment, random_log

NAMES = tuple(feature.name for feature in USE_CASE.features)


def stage(log: Log, models: MemoryModelStore, store: MemoryScoringStore | None = None, cache: int = 1000) -> Scoring:
    return Scoring(USE_CASE, deployment(), store or MemoryScoringStore(), log.codec, models, KEY, cache)


def version(offset: int, intercept: float) -> tuple[str, bytes]:
    """Return path and bytes of a version of silent/logistic that answers with its intercept only."""
    model: Any = build_model(USE_CASE.targets[0].arms[0], "silent", "binary", NAMES, 1)
    model.intercept = intercept
    named = Version("silent", "logistic", 1, offset)
    return named.path, dump_snapshot(Snapshot(named, model, HighWater(), Position(offset + 1), 1), KEY)


def switch(log: Log, offset: int, path: str, blob: bytes, command: int = 0) -> None:
    named = Version("silent", "logistic", 1, offset)
    record = {"target": "silent", "arm": "logistic", "version": str(named), "command": command, "offset": offset}
    log.control("tidecast.Switch", {**record, "snapshot": path, "digest": sha256(blob).digest(), "signature": None})


def buy(log: Log, number: int) -> None:
    log.say("small.Buy", event_id=f"e{number}", customer_id="c", occurred_at=number, cents=1)


def answers(log: Log, models: MemoryModelStore) -> list[tuple[str, float, bool]]:
    """Return (version, value, fallback) of silent/logistic in order."""
    outputs = [output for outputs in replay(stage(log, models), log.logs) for output in outputs]
    told = [p["answers"][0] for p in decoded(log, outputs, "Prediction") if p["target"] == "silent"]
    return [(a["version"], round(a["value"], 3), a["fallback"]) for a in told]


def test_the_version_switched_to_answers_and_older_switches_are_ignored() -> None:
    log, models = Log(), MemoryModelStore()
    log.deploy()
    made = {offset: version(offset, intercept) for offset, intercept in ((5, 1.0), (9, -1.0))}
    for path, blob in made.values():
        models.put(path, blob)
    buy(log, 1)
    for number, (offset, command) in enumerate(((5, 0), (9, 0), (5, 0), (5, 1), (9, 0)), start=2):
        switch(log, offset, *made[offset], command)
        buy(log, number)
    low, high = ("silent/logistic.1@9", 0.269, False), ("silent/logistic.1@5", 0.731, False)
    assert answers(log, models) == [("silent/logistic.1@-1", 0.5, False), high, low, low, high, high]


def test_a_version_that_is_not_finite_leaves_the_answer_to_the_one_before() -> None:
    log, models = Log(), MemoryModelStore()
    log.deploy()
    for offset, intercept in ((5, 1.0), (9, nan)):
        path, blob = version(offset, intercept)
        models.put(path, blob)
        switch(log, offset, path, blob)
        buy(log, offset)
    assert answers(log, models)[1] == ("silent/logistic.1@5", 0.731, True)


def test_scoring_waits_for_a_snapshot_after_doing_what_lies_before() -> None:
    log, models, store = Log(), MemoryModelStore(), MemoryScoringStore()
    log.deploy()
    path, blob = version(5, 1.0)
    buy(log, 1)
    switch(log, 5, path, blob)
    buy(log, 2)
    for kept, found in (({}, "no snapshot"), ({path: blob + b"x"}, "not the one")):
        models.blobs.clear()
        models.blobs.update(kept)
        with pytest.raises(Unavailable, match=found):
            list(replay(stage(log, models, store), log.logs))
        done = [p.offset for p, _ in store.positions(range(PARTITIONS)).values()]
        assert sorted(done) == [1, 2], "every partition is committed up to the switch"
    models.put(path, blob)
    list(replay(stage(log, models, store), log.logs))
    assert [p.offset for p, _ in store.positions(range(PARTITIONS)).values()] == [
        len(log.records[p]) for p in range(PARTITIONS)
    ]


def test_a_switch_of_something_undeclared_is_a_dead_letter() -> None:
    log, models = Log(), MemoryModelStore()
    log.deploy()
    record = {"target": "silent", "arm": "other", "version": "v", "command": 0, "offset": 1}
    log.control("tidecast.Switch", {**record, "snapshot": "p", "digest": b"", "signature": None})
    outputs = [output for outputs in replay(stage(log, models), log.logs) for output in outputs]
    assert {letter["reason"] for letter in decoded(log, outputs, "DeadLetter")} == {"bad_control"}


def grown(seed: int) -> tuple[Log, MemoryModelStore]:
    """Return the log that scoring and the learners of target "silent" write together, with its switches."""
    source, log, models = random_log(seed), Log(), MemoryModelStore()
    log.codec = source.codec
    store, scoring = MemoryScoringStore(), None
    examples: list[Record] = []
    place = TopicPartition(LABELLED_EXAMPLES, 0)
    for output in _deployed(log):
        examples.append(Record(len(examples), 0, None, output.value))
    most = max(map(len, source.records.values()))
    for start in range(0, most, 25):
        for partition, records in source.records.items():
            for record in records[start : start + 25]:
                log.raw(partition, record.key, record.value)
        scoring = scoring or stage(log, models, store)
        for outputs in replay(scoring, log.logs):
            for output in outputs:
                if output.topic == LABELLED_EXAMPLES and output.partition == 0:
                    examples.append(Record(len(examples), 0, output.key, output.value))
        for output in _learnt(log, models, {place: examples}):
            log.raw(output.partition, None, output.value)
    return log, models


def _deployed(log: Log) -> Iterator[Output]:
    record = sign("tidecast.Deployment", deployment().to_record(), KEY, LABELLED_EXAMPLES, 0)
    yield Output(LABELLED_EXAMPLES, 0, None, log.codec.encode("tidecast.Deployment", record))


def _learnt(log: Log, models: MemoryModelStore, examples: dict[TopicPartition, list[Record]]) -> list[Output]:
    target = USE_CASE.targets[0]
    found: list[Output] = []
    for arm in target.arms:
        learner = Learning(USE_CASE, target, arm, deployment(), models, log.codec, KEY)
        found += [output for outputs in replay(learner, examples) for output in outputs]
    return found


@pytest.mark.parametrize("seed", range(4))
def test_replay_with_versions_equals_live_in_any_batches(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(USE_CASE.targets[0].__dict__, "serve_every", 5)
    log, models = grown(seed)
    store = MemoryScoringStore()
    outputs = [output for outputs in replay(stage(log, models, store), log.logs) for output in outputs]
    versions = {a["version"] for p in decoded(log, outputs, "Prediction") for a in p["answers"]}
    assert len(versions) > 8, "several versions must have served"
    for batch, cache in ((1, 0), (7, 3)):
        other = MemoryScoringStore()
        again = [o for outs in replay(stage(log, models, other, cache), log.logs, batch) for o in outs]
        assert contents(other) == contents(store)
        assert seen(log, again).difference(seen(log, outputs)) is None
    headers = [PartitionHeader.unpack(packed) for _, packed in store.positions(range(PARTITIONS)).values()]
    assert all(header.serving for header in headers)
    assert next(iter(log.logs)).topic == CUSTOMER_EVENTS


def served(offset: int, path: str, blob: bytes) -> Serving:
    return Serving(str(Version("silent", "logistic", 1, offset)), 0, offset, path, sha256(blob).digest(), -1)


def test_versions_in_memory_are_bounded_by_number_and_by_size() -> None:
    models, made = MemoryModelStore(), [version(offset, 0.5) for offset in (9, 19, 29)]
    for path, blob in made:
        models.put(path, blob)
    size = len(made[0][1])
    for kept, bounds in ((2, {"limit": 2}), (1, {"room": 2 * size - 1}), (0, {"room": 0}), (3, {"room": 4 * size})):
        loaded = ServedModels(models, KEY, {}, **bounds)
        for offset, (path, blob) in zip((9, 19, 29), made, strict=True):
            loaded.prepare(served(offset, path, blob))
        loaded.trim()
        there = []
        for path, _ in made:
            with suppress(KeyError):
                there.append(loaded.loaded(path))
        assert len(there) == kept
        loaded.prepare(served(9, *made[0]))
        assert loaded.loaded(made[0][0]).predict([0.0] * len(NAMES)) > 0.6


def test_a_store_with_hardly_any_room_in_memory_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    log, models = Log(), MemoryModelStore()
    log.deploy()
    for number, offset in enumerate((9, 19, 29)):
        path, blob = version(offset, float(number))
        models.put(path, blob)
        switch(log, offset, path, blob)
        buy(log, number)
    roomy = answers(log, models)
    monkeypatch.setattr(ServedModels.__init__, "__defaults__", (1, 0))
    assert answers(log, models) == roomy and len({told[0] for told in roomy}) == 3


class Telling:
    """A served model whose explanation is the result of `told`, which may raise."""

    def __init__(self, told: Any) -> None:
        self.told = told

    def predict(self, vector: Sequence[float]) -> float:
        return 0.25

    def explain(self, vector: Sequence[float], top: int) -> Any:
        return self.told()


def predictions_with(log: Log, models: MemoryModelStore, offset: int, model: Any) -> list[dict[str, Any]]:
    """Return the predictions of "silent" when `model` replaces the version at the offset."""
    scoring, named = stage(log, models), Version("silent", "logistic", 1, offset)
    if model is not None:
        scoring._models._models[named.path] = model
    outputs = [output for outputs in replay(scoring, log.logs) for output in outputs]
    return [p for p in decoded(log, outputs, "Prediction") if p["target"] == "silent"]


def learnt_log() -> tuple[Log, MemoryModelStore, LogisticModel]:
    """Return a log with one switch to a trained model and one purchase after it."""
    log, models, named = Log(), MemoryModelStore(), Version("silent", "logistic", 1, 5)
    model: Any = build_model(USE_CASE.targets[0].arms[0], "silent", "binary", NAMES, 1)
    for number in range(50):
        model.learn([float(number % (at + 2)) for at in range(len(NAMES))], float(number % 3 == 0))
    blob = dump_snapshot(Snapshot(named, model, HighWater(), Position(6), 1), KEY)
    models.put(named.path, blob)
    log.deploy()
    switch(log, 5, named.path, blob)
    buy(log, 1)
    return log, models, model


def test_a_prediction_tells_the_strongest_contributions_of_its_champion() -> None:
    log, models, model = learnt_log()
    (told,) = predictions_with(log, models, 5, None)
    value, reasons = model.explain(told["vector"], 3)
    assert told["value"] == value
    assert [(r["feature"], r["value"]) for r in told["reasons"]] == reasons
    assert reasons


def failing() -> None:
    raise RuntimeError


@pytest.mark.parametrize("told", [failing, lambda: ("no number", []), lambda: (nan, []), lambda: (0.5, [("x", "y")])])
def test_an_answer_that_cannot_be_explained_is_left_to_another_version(told: Any) -> None:
    log, models, _ = learnt_log()
    (prediction,) = predictions_with(log, models, 5, Telling(told))
    (answer,) = [a for a in prediction["answers"] if a["arm"] == "logistic"]
    assert (answer["version"], answer["fallback"]) == ("silent/logistic.1@-1", True)
    assert prediction["reasons"] == []
