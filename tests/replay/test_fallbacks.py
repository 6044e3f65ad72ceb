"""Answers that the version switched to did not give are counted, with the positions and for the metrics."""

from collections import Counter
from math import nan

import pytest

from streams.log import Cause
from streams.models.memory import MemoryModelStore
from streams.replay import replay
from streams.scoring.stage import Scoring
from streams.state.memory import MemoryScoringStore
from streams.timeline import PartitionHeader
from tests.replay.test_serving import buy, grown, stage, switch, version
from tests.replay.world import PARTITIONS, USE_CASE, Log, decoded


def headers(store: MemoryScoringStore) -> tuple[Counter[str], Counter[str]]:
    """Questions by target, and fallbacks by name, of all partitions."""
    asked, fallbacks = Counter[str](), Counter[str]()
    for _, packed in store.positions(range(PARTITIONS)).values():
        header = PartitionHeader.unpack(packed)
        asked.update(header.asked)
        fallbacks.update(header.fallbacks)
    return asked, fallbacks


@pytest.mark.parametrize("seed", range(3))
def test_counts_are_those_of_the_predictions(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(USE_CASE.targets[0].__dict__, "serve_every", 5)
    log, models = grown(seed)
    store = MemoryScoringStore()
    outputs = [output for outputs in replay(stage(log, models, store), log.logs, 50) for output in outputs]
    predictions = decoded(log, outputs, "Prediction")
    untrained = Counter(
        f"{p['target']}/{a['arm']}/untrained"
        for p in predictions
        for a in p["answers"]
        if a["version"].endswith("@-1") and not a["fallback"]
    )
    asked, fallbacks = headers(store)
    assert asked == Counter(p["target"] for p in predictions)
    assert fallbacks == untrained
    assert 0 < fallbacks["silent/logistic/untrained"] < asked["silent"], "it was switched to versions on the way"


def test_slices_say_what_they_add(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(USE_CASE.targets[0].__dict__, "serve_every", 5)
    log, models = grown(1)
    store, asked, fallbacks = MemoryScoringStore(), Counter[str](), Counter[str]()
    scoring: Scoring = stage(log, models, store)
    scoring.assign(list(log.logs))
    for slice_ in scoring.process(log.logs):
        assert slice_.answered.champions == {
            "silent": "logistic",
            "leaves": "logistic",
            "spend": "linear",
            "told": "logistic",
        }
        asked.update(slice_.answered.asked)
        fallbacks.update({"/".join(at): count for at, count in slice_.answered.fallbacks.items()})
        slice_.commit()
    assert (asked, fallbacks) == headers(store)


def test_a_version_that_fails_is_counted_from_its_switch_on() -> None:
    log, models, store = Log(), MemoryModelStore(), MemoryScoringStore()
    log.deploy()
    buy(log, 1)
    for offset, intercept in ((5, 1.0), (9, nan)):
        path, blob = version(offset, intercept)
        models.put(path, blob)
        switch(log, offset, path, blob)
        for number in range(2):
            buy(log, offset + number)
    list(replay(stage(log, models, store), log.logs))
    asked, fallbacks = headers(store)
    found = {name: count for name, count in fallbacks.items() if name.startswith("silent/logistic/")}
    assert found == {"silent/logistic/untrained": 1, "silent/logistic/not_finite": 2}
    assert asked["silent"] == 5
    assert fallbacks["silent/prior/untrained"] == 5


def test_an_error_of_a_version_is_counted() -> None:
    log, models, store = Log(), MemoryModelStore(), MemoryScoringStore()
    log.deploy()
    path, blob = version(5, 1.0)
    models.put(path, blob)
    switch(log, 5, path, blob)
    buy(log, 6)
    scoring = stage(log, models, store)
    scoring._models._models[path] = None  # type: ignore[assignment]
    scoring._models._sizes[path] = 0
    list(replay(scoring, log.logs))
    assert headers(store)[1][f"silent/logistic/{Cause.FAILED.value}"] == 1
