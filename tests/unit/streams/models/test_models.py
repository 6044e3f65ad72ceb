"""Models with many different settings give exactly River's numbers. Each model also keeps its own guarantees.

tests/contract/test_models.py has the tests that hold for every registered model."""

import random
from collections.abc import Iterator, Sequence
from itertools import islice
from math import inf, nan
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river import datasets, dummy, forest, linear_model, optim, preprocessing, stats, tree

from streams.errors import DeclarationError
from streams.models.declaration import Declaration, Model
from streams.models.factory import build_model, pack_model, seed_of, unpack_model
from streams.usecases import AdaptiveForest, Arm, HoeffdingTree, LastValue, Linear, Logistic, PriorRate

PHISHING = list(datasets.Phishing())
NAMES = tuple(PHISHING[0][0])

BINARY: list[Declaration] = [
    Logistic(),
    Logistic(robust=False),
    Logistic(l2=0.01, learning_rate=0.05, features=NAMES[3:6]),
    HoeffdingTree(),
    AdaptiveForest(trees=3),
    PriorRate(),
]
REGRESSION: list[Declaration] = [
    Linear(),
    Linear(robust=False),
    Linear(l2=0.01, learning_rate=0.002, features=(NAMES[4], NAMES[2])),
    Linear(learning_rate=0.001, clip_gradient=0.5),
    HoeffdingTree(),
    AdaptiveForest(trees=3),
    PriorRate(),
    LastValue(NAMES[0], scale=2.0),
]
EVERY = [("binary", declared) for declared in BINARY] + [("regression", declared) for declared in REGRESSION]


def build(kind: Any, declared: Declaration, names: Sequence[str] = NAMES) -> Model:
    return build_model(Arm("arm", declared), "target", kind, names, 1)


def rivers_own(kind: str, declared: Declaration) -> Any:
    """Return the model that a River user would write, or None when River has no such model."""
    seed = seed_of("target", "arm", 1)
    binary = kind == "binary"
    match declared:
        case Logistic(l2, rate):
            return preprocessing.StandardScaler() | linear_model.LogisticRegression(optim.SGD(rate), l2=l2)
        case Linear(l2, rate, _, clip):
            return preprocessing.StandardScaler() | linear_model.LinearRegression(
                optim.SGD(rate), l2=l2, clip_gradient=clip
            )
        case HoeffdingTree():
            return tree.HoeffdingTreeClassifier() if binary else tree.HoeffdingTreeRegressor()
        case AdaptiveForest(trees):
            return (forest.ARFClassifier if binary else forest.ARFRegressor)(n_models=trees, seed=seed)
        case PriorRate():
            return dummy.PriorClassifier() if binary else dummy.StatisticRegressor(stats.Mean())
    return None


def rivers_answer(kind: str, model: Any, x: dict[str, float]) -> float:
    if kind == "regression":
        return float(model.predict_one(x))
    answer = model.predict_proba_one(x)
    return float(answer.get(True, 0.0)) if answer else 0.5


def rows(kind: str, missing: float, seed: int = 1) -> Iterator[tuple[list[float], float]]:
    rng = random.Random(seed)
    for x, y in PHISHING:
        vector = [nan if rng.random() < missing else float(x[name]) for name in NAMES]
        yield vector, float(y) if kind == "binary" else x[NAMES[0]] * 3 + float(y) + rng.gauss(0, 0.1)


@pytest.mark.parametrize("kind,declared", EVERY)
@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_answers_are_rivers_to_the_last_bit(kind: str, declared: Declaration, missing: float) -> None:
    theirs = rivers_own(kind, declared)
    if theirs is None:
        pytest.skip("River has no such model")
    ours = build(kind, declared)
    wanted = getattr(declared, "features", None) or NAMES
    number = 400 if isinstance(declared, AdaptiveForest) else len(PHISHING)
    for vector, label in islice(rows(kind, missing), number):
        row = dict(zip(NAMES, vector, strict=True))
        x = {name: row[name] for name in wanted if row[name] == row[name]}
        assert ours.predict(vector).hex() == rivers_answer(kind, theirs, x).hex()
        theirs.learn_one(x, bool(label) if kind == "binary" else label)
        ours.learn(vector, label)


@pytest.mark.parametrize("kind,declared", EVERY)
def test_a_loaded_copy_goes_on_as_the_model(kind: str, declared: Declaration) -> None:
    model = build(kind, declared)
    data = list(islice(rows(kind, 0.1), 500))
    for vector, label in data[:300]:
        model.learn(vector, label)
    packed = pack_model(model)
    copy, again = unpack_model(packed), unpack_model(pack_model(unpack_model(packed)))
    for vector, label in data[300:]:
        assert model.predict(vector) == copy.predict(vector) == again.predict(vector)
        for each in (model, copy, again):
            each.learn(vector, label)
    assert pack_model(copy) == pack_model(again)


@pytest.mark.parametrize("kind,declared", EVERY)
def test_every_feature_and_label_counts(kind: str, declared: Declaration) -> None:
    """No input is ignored. Other vectors or labels make another model."""
    if isinstance(declared, LastValue):
        pytest.skip("learns nothing")
    data = list(islice(rows(kind, 0.0), 60))

    def learnt(data: list[tuple[list[float], float]]) -> Any:
        model = build(kind, declared)
        for vector, label in data:
            model.learn(vector, label)
        return pack_model(model)

    flipped = [(v, 1 - y) for v, y in data]
    assert learnt(data) != learnt(flipped)
    if not isinstance(declared, PriorRate):
        column = NAMES.index((getattr(declared, "features", None) or NAMES)[-1])
        moved = [([*v[:column], v[column] + i, *v[column + 1 :]], y) for i, (v, y) in enumerate(data)]
        assert learnt(data) != learnt(moved)


@pytest.mark.parametrize("kind,declared", EVERY)
def test_before_the_first_example(kind: str, declared: Declaration) -> None:
    if not isinstance(declared, LastValue):
        assert build(kind, declared).predict([1.0] * len(NAMES)) == (0.5 if kind == "binary" else 0.0)


def test_seeds_depend_on_target_arm_and_lineage() -> None:
    seeds = {seed_of(*place) for place in (("a", "b", 1), ("a", "b", 2), ("a", "c", 1), ("ab", "", 1))}
    assert len(seeds) == 4
    assert seed_of("churn", "forest", 1) == 2261641574


def test_contributions_add_up_to_the_score() -> None:
    model: Any = build("binary", Logistic())
    for vector, label in rows("binary", 0.1):
        model.learn(vector, label)
    for vector, _ in islice(rows("binary", 0.2), 100):
        value, every = model.explain(vector, 99)
        assert value == model.predict(vector)
        assert sum(value for _, value in every) + model.intercept == pytest.approx(model.score(vector))
        strengths = [abs(value) for _, value in every]
        assert strengths == sorted(strengths, reverse=True)
        assert model.explain(vector, 3) == (value, every[:3])
        known = {name for name, x in zip(NAMES, vector, strict=True) if x == x}
        assert {name for name, _ in every} <= known


def test_last_value() -> None:
    model = build("regression", LastValue("b", 0.5), "ab")
    assert [model.predict([9.0, x]) for x in (4.0, -4.0, nan, inf)] == [2.0, -2.0, 0.0, 0.0]
    assert model.explain([9.0, 4.0], 3) == (2.0, [("b", 2.0)])


@given(st.data())
@settings(max_examples=60)
def test_linear_models_equal_river_on_anything(data: st.DataObject) -> None:
    binary = data.draw(st.booleans())
    l2, rate = data.draw(st.sampled_from([0.0, 0.1])), data.draw(st.sampled_from([0.01, 0.5]))
    kind, declared = (
        ("binary", Logistic(l2, rate, robust=False)) if binary else ("regression", Linear(l2, rate, robust=False))
    )
    ours, theirs = build(kind, declared, "abcd"), rivers_own(kind, declared)
    number = st.one_of(st.just(nan), st.integers(-3, 3).map(float), st.floats(-1e6, 1e6))
    label = st.integers(0, 1).map(float) if binary else st.floats(-1e4, 1e4)
    for vector, y in data.draw(st.lists(st.tuples(st.lists(number, min_size=4, max_size=4), label), max_size=12)):
        x = {name: value for name, value in zip("abcd", vector, strict=True) if value == value}
        try:
            expected = rivers_answer(kind, theirs, x)
            theirs.learn_one(x, bool(y) if binary else y)
        except TypeError:
            return  # rounding makes a variance negative, and River cannot continue
        assert ours.predict(vector).hex() == expected.hex()
        ours.learn(vector, y)


@pytest.mark.parametrize(
    "kind,declared,part",
    [
        ("regression", Logistic(), "Logistic answers binary targets only; use one of .*Linear"),
        ("binary", Linear(), "Linear answers regression targets only; use one of .*Logistic"),
        ("binary", Logistic(features=("x",)), "'x'"),
        ("binary", Logistic(features=("a", "a")), "twice"),
        ("binary", Logistic(features=()), "at least one"),
        ("binary", Logistic(learning_rate=0.0), "learning_rate"),
        ("binary", LastValue("a"), "LastValue answers regression targets only"),
        ("regression", LastValue("x"), "'x'"),
        ("binary", "logistic", "'logistic' is not a model; use one of .*Logistic"),
        ("binary", AdaptiveForest(trees=0), "trees"),
    ],
)
def test_a_wrong_declaration_names_place_and_remedy(kind: str, declared: Declaration, part: str) -> None:
    with pytest.raises(DeclarationError, match=part) as raised:
        build(kind, declared, "ab")
    assert "Target 'target', arm 'arm'" in str(raised.value)


def test_a_monotone_feature_does_not_break_a_trees_snapshot() -> None:
    """River keeps the split candidates of a regression tree in an unbalanced binary tree. Its depth can equal the
    number of examples."""
    model = build("regression", HoeffdingTree(), "a")
    rng = random.Random(1)
    for i in range(4000):
        model.learn([float(i)], rng.random())
    assert unpack_model(pack_model(model)).predict([1.0]) == model.predict([1.0])
