"""No single record ruins a robust linear model: the effect of any one is bounded, and the usual is learnt as ever."""

import random
from math import isfinite
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.models.factory import build_model, pack_model, unpack_model
from streams.models.linear import INTERCEPT_RATE, MOST_DEVIATIONS, MOST_USUAL, LinearModel
from streams.usecases import Arm, Linear, Logistic

NAMES = ("amount", "count", "rare")
RATE = 0.01
Row = tuple[list[float], float]


def model(kind: Any = "regression", **given: Any) -> Any:
    declared = (Linear if kind == "regression" else Logistic)(learning_rate=RATE, **given)
    return build_model(Arm("arm", declared), "target", kind, NAMES, 1)


def rows(number: int, kind: str = "regression", seed: int = 1) -> list[Row]:
    rng = random.Random(seed)
    made = []
    for _ in range(number):
        amount, count, rare = rng.lognormvariate(4, 0.5), float(rng.randrange(8)), float(rng.random() < 0.05)
        spend = 0.5 * amount + 10 * count + 30 * rare + rng.gauss(0, 10)
        made.append(([amount, count, rare], spend if kind == "regression" else float(spend > 70)))
    return made


def error(learner: Any, data: list[Row]) -> float:
    """Return the prequential mean absolute error over the data."""
    total = 0.0
    for vector, label in data:
        total += abs(learner.predict(vector) - label)
        learner.learn(vector, label)
    return total / len(data)


@pytest.mark.parametrize("spoilt", ["vector", "label", "both"])
@pytest.mark.parametrize("value", [1e9, -1e9, 1e300])
def test_one_amount_mistyped_costs_no_more_than_a_few_percent(spoilt: str, value: float) -> None:
    data = rows(4000)
    bad = list(data)
    vector, label = data[1000]
    bad[1000] = ([value, *vector[1:]] if spoilt != "label" else vector, value if spoilt != "vector" else label)
    clean, hit = model(), model()
    for (one, y), (other, z) in zip(data[:1001], bad[:1001], strict=True):
        clean.learn(one, y)
        hit.learn(other, z)
    assert error(hit, bad[1001:]) < 1.05 * error(clean, data[1001:])


def test_without_it_the_same_record_ruins_the_model() -> None:
    data = rows(1500)
    data[1000] = ([1e9, *data[1000][0][1:]], 1e9)
    learner = model(robust=False)
    error(learner, data[:1001])
    assert error(learner, data[1001:]) > 1e5


numbers = st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from([0.0, 1e9, -1e9, 1e308, -1e308, 5e-324])


@pytest.mark.parametrize("kind", ["regression", "binary"])
@given(st.lists(numbers, min_size=3, max_size=3), numbers, st.integers(100, 600))
@settings(max_examples=60, deadline=None)
def test_any_single_record_moves_the_others_answers_by_a_bounded_amount(
    kind: str, vector: list[float], label: float, before: int
) -> None:
    learner: LinearModel = model(kind)
    data = rows(before + 50, kind)
    for one, y in data[:before]:
        learner.learn(one, y)
    others = [one for one, _ in data[before:]]
    scores = [learner.score(one) for one in others]
    largest = 1.0 if kind == "binary" else MOST_USUAL * learner.usual_square**0.5
    by_scaling = MOST_DEVIATIONS * (1 + MOST_DEVIATIONS**2 / 2) / before * sum(map(abs, learner.weights))
    bound = INTERCEPT_RATE * largest + len(NAMES) * RATE * largest * MOST_DEVIATIONS**2 + by_scaling
    learner.learn(vector, label if kind == "regression" else float(label > 0))
    for score, one in zip(scores, others, strict=True):
        moved = abs(learner.score(one) - score)
        assert isfinite(moved) and moved <= bound * 1.0001
    assert abs(learner.score([1e308, -1e308, 1e308])) < 1e9, "and the answer to an extreme vector is bounded"


def test_what_becomes_usual_is_learnt() -> None:
    """Prices in another currency, a hundred times as high: the limits widen, and the model follows."""
    learner = model()
    error(learner, rows(1000))
    dearer = [([amount * 100, count, rare], label * 100) for (amount, count, rare), label in rows(8000, seed=2)]
    error(learner, dearer[:6000])
    naive = sum(abs(5000 - label) for _, label in dearer[6000:]) / 2000
    assert error(learner, dearer[6000:]) < 0.8 * naive


def test_a_feature_that_never_varied_takes_its_first_other_value() -> None:
    learner = model("binary")
    for (amount, count, _), label in rows(500, "binary"):
        learner.learn([amount, count, 0.0], label)
    learner.learn([50.0, 3.0, 1e300], 1.0)
    assert isfinite(learner.predict([50.0, 3.0, 0.0])) and all(map(isfinite, learner.weights))


def test_labels_that_are_all_alike_do_not_close_the_limit() -> None:
    """A gradient of exactly 0 says nothing of what is usual."""
    learner = model()
    for vector, _ in rows(200):
        learner.learn(vector, 0.0)
    assert learner.usual_square == 0.0
    assert error(learner, rows(3000, seed=3)[:2000]) > error(learner, rows(3000, seed=3)[2000:])


def test_rare_events_keep_their_rate() -> None:
    """The log loss is not limited: a limit by the usual gradient would make the answers to rare events too small."""
    learner, plain, rng = model("binary"), model("binary", robust=False), random.Random(4)
    ours, rivers = 0.0, 0.0
    for vector, _ in rows(20_000):
        ours, rivers = ours + learner.predict(vector), rivers + plain.predict(vector)
        label = float(rng.random() < 0.005)
        learner.learn(vector, label)
        plain.learn(vector, label)
    assert ours == pytest.approx(rivers, rel=0.05)


@pytest.mark.parametrize("kind", ["regression", "binary"])
def test_the_running_scale_is_in_the_snapshot(kind: str) -> None:
    learner = model(kind)
    for vector, label in rows(300, kind):
        learner.learn(vector, label)
    copy: Any = unpack_model(pack_model(learner))
    assert copy.robust and copy.usual_square == learner.usual_square
    assert copy.score([1e308] * 3) == learner.score([1e308] * 3)
    for each in (learner, copy):
        each.learn([1e9, 3.0, 1.0], 1.0)
    assert pack_model(copy) == pack_model(learner)
