"""Contract of every registered model, for each kind of target that it supports."""

import os
import random
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import MISSING, fields
from itertools import islice
from math import inf, isfinite, nan
from typing import Any, get_args

import pytest

from streams.errors import DeclarationError
from streams.models.arms import Arm
from streams.models.declaration import Declaration, Kind, Model
from streams.models.factory import build_model, pack_model, seed_of, unpack_model
from streams.models.registry import MODELS, LastValue, Linear, Logistic
from streams.models.river import RiverDeclaration

NAMES = ("a", "b", "c", "d", "e")
KINDS: tuple[Kind, ...] = get_args(Kind)
Example = tuple[list[float], float]


def sample(declared: type[Declaration]) -> Declaration:
    """Return the declaration with only its required settings. A required string is set to a feature name."""
    needed = [field for field in fields(declared) if field.default is MISSING and field.default_factory is MISSING]
    assert all(field.type is str for field in needed), f"{declared.__name__}: give every setting a default"
    return declared(*[NAMES[0]] * len(needed))


def shown(value: Any) -> str:
    return str(getattr(value, "__name__", value))


FITTING = [(kind, each) for each in MODELS.values() for kind in KINDS if kind in each.fits]
OTHERS = [(kind, each) for each in MODELS.values() for kind in KINDS if kind not in each.fits]
fitting = pytest.mark.parametrize("kind,declared", FITTING, ids=shown)


def build(kind: Kind, declared: type[Declaration], lineage: int = 1) -> Model:
    return build_model(Arm("arm", sample(declared)), "target", kind, NAMES, lineage)


def examples(kind: Kind, missing: float, seed: int = 1) -> Iterator[Example]:
    rng = random.Random(seed)
    while True:
        vector = [nan if rng.random() < missing else rng.gauss(0, 1) for _ in NAMES]
        score = sum(x for x in vector[:2] if x == x)
        yield vector, float(score + rng.gauss(0, 0.5) > 0) if kind == "binary" else 3 * score + rng.gauss(0, 0.1)


def taught(kind: Kind, declared: type[Declaration], rows: Sequence[Example], lineage: int = 1) -> Model:
    model = build(kind, declared, lineage)
    for vector, label in rows:
        model.learn(vector, label)
    return model


def some(kind: Kind, count: int, missing: float = 0.1, seed: int = 1) -> list[Example]:
    return list(islice(examples(kind, missing, seed), count))


@pytest.mark.parametrize("kind,declared", OTHERS, ids=shown)
def test_it_refuses_a_target_that_it_does_not_fit(kind: Kind, declared: type[Declaration]) -> None:
    with pytest.raises(DeclarationError) as raised:
        build(kind, declared)
    assert str(raised.value).startswith(
        f"Target 'target', arm 'arm': {declared.__name__} answers {declared.fits[0]} targets only; use one of "
    )


@fitting
def test_it_knows_by_name_what_it_reads(kind: Kind, declared: type[Declaration]) -> None:
    """And to look for it where it was changes nothing."""
    model = taught(kind, declared, some(kind, 50))
    assert model.reads == sample(declared).reads(NAMES)
    packed = pack_model(model)
    model.bind(NAMES)
    assert pack_model(model) == packed
    assert unpack_model(packed).reads == model.reads


CHOOSY = [("binary", Logistic(features=("d", "b"))), ("regression", Linear(features=("d", "b")))]


@pytest.mark.parametrize("kind,declared", [*CHOOSY, ("regression", LastValue("d", 2.0))], ids=shown)
def test_it_finds_what_it_reads_in_other_vectors(kind: Kind, declared: Declaration) -> None:
    model, others = build_model(Arm("arm", declared), "target", kind, NAMES, 1), ("x", "d", "a", "y", "b", "c")
    for vector, label in some(kind, 200):
        model.learn(vector, label)
    moved = unpack_model(pack_model(model))
    moved.bind(others)
    for vector, _ in some(kind, 50, seed=2):
        by_name = {**dict(zip(NAMES, vector, strict=True)), "x": 1e9, "y": -1e9}
        wider = [by_name[name] for name in others]
        assert moved.predict(wider) == moved.frozen().predict(wider) == model.predict(vector)
        assert moved.explain(wider, 2) == model.explain(vector, 2)


@fitting
def test_it_answers_with_a_finite_number_whatever_is_known(kind: Kind, declared: type[Declaration]) -> None:
    """Every answer is finite: with missing features, without any feature, and far outside the range seen so far."""
    model = build(kind, declared)
    unknown = [nan] * len(NAMES)
    for number, (vector, label) in enumerate(some(kind, 200, 0.0)):
        shown = [x if (number // 50 + column) % 3 else nan for column, x in enumerate(vector)]
        for each in (shown, unknown, [0.0] * len(NAMES), [1e9] * len(NAMES), [-1e9] * len(NAMES)):
            value = model.predict(each)
            assert isinstance(value, float) and isfinite(value)
            assert kind == "regression" or 0.0 <= value <= 1.0
        model.learn(unknown if number % 10 == 0 else shown, label)


@fitting
def test_it_changes_no_vector_and_answering_changes_no_model(kind: Kind, declared: type[Declaration]) -> None:
    model = taught(kind, declared, some(kind, 100))
    before = pack_model(model)
    for vector, label in some(kind, 50, 0.3, seed=2):
        kept = list(map(repr, vector))
        value, reasons = model.explain(vector, 2)
        assert value == model.predict(vector) == model.frozen().predict(vector) and len(reasons) <= 2
        assert pack_model(model) == before
        build(kind, declared).learn(vector, label)
        assert list(map(repr, vector)) == kept


@fitting
def test_a_loaded_copy_has_the_same_bytes_and_goes_on_as_the_model(kind: Kind, declared: type[Declaration]) -> None:
    """A learner continues from the loaded copy. A copy of a copy therefore behaves like the model."""
    rows = some(kind, 400)
    model = unpack_model(pack_model(taught(kind, declared, rows[:300])))
    copy = unpack_model(pack_model(model))
    for vector, label in rows[300:]:
        assert model.predict(vector) == copy.predict(vector)
        model.learn(vector, label)
        copy.learn(vector, label)
    assert pack_model(copy) == pack_model(model)


@fitting
def test_equal_histories_in_one_place_make_equal_bytes(kind: Kind, declared: type[Declaration]) -> None:
    """The seed depends on target, arm and lineage. Another lineage changes only models that use randomness."""
    rows = some(kind, 300)
    one, same, other = (pack_model(taught(kind, declared, rows, lineage=lineage)) for lineage in (1, 1, 2))
    assert one == same
    assert (one != other) == has_chance(sample(declared))


def has_chance(declared: Declaration) -> bool:
    """Return whether the seed changes the model."""
    one, other = (pack_model(declared.build(declared.fits[0], NAMES, seed)) for seed in (1, 2))
    return one != other


@fitting
def test_its_snapshots_name_a_class_that_it_states(kind: Kind, declared: type[Declaration]) -> None:
    cls = type(build(kind, declared))
    assert f"{cls.__module__}.{cls.__qualname__}" in declared.models, f"add it to {declared.__name__}.models"


@pytest.mark.parametrize(
    "kind,declared", [(kind, each) for kind, each in FITTING if issubclass(each, RiverDeclaration)], ids=shown
)
def test_rivers_models_answer_as_river_to_the_last_bit(kind: Kind, declared: type[Declaration]) -> None:
    made, ours = sample(declared), build(kind, declared)
    assert isinstance(made, RiverDeclaration)
    theirs = made.estimator(kind, seed_of("target", "arm", 1))
    for vector, label in some(kind, 400, 0.2):
        x = {name: value for name, value in zip(NAMES, vector, strict=True) if value == value}
        if kind == "binary":
            answer = theirs.predict_proba_one(x)
            expected = float(answer.get(True, 0.0)) if answer else 0.5
        else:
            expected = float(theirs.predict_one(x))
        assert ours.predict(vector).hex() == expected.hex()
        theirs.learn_one(x, bool(label) if kind == "binary" else label)
        ours.learn(vector, label)


@pytest.mark.parametrize("name", MODELS)
def test_wrong_settings_are_problems_and_no_errors(name: str) -> None:
    """Numbers out of range and unknown features are reported as problems."""
    declared = MODELS[name]
    for field in fields(declared):
        for junk in (0, -1, -0.5, nan, inf, "zzz", ("zzz",), ()):
            try:
                made = sample(declared)
                object.__setattr__(made, field.name, junk)
                told = list(made.problems(NAMES))
            except TypeError:
                continue  # check() itself reports a setting of the wrong type
            assert all(text.endswith(".") for text in told)
            if not told:
                for kind in made.fits:
                    model = build_model(Arm("arm", made), "target", kind, NAMES, 1)
                    for vector, label in some(kind, 20):
                        model.learn(vector, label)


def test_declaring_models_does_not_load_river() -> None:
    """Loading River takes most of a second. The command line and a scorer without trees do not load it."""
    code = (
        "import sys; from streams.usecases import *; load_use_case('telecom'); "
        "import streams.scoring.stage; sys.exit('river' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": "0"}).returncode == 0
