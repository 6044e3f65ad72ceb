"""Stored bytes that must not change. A change makes deployed definitions, Redis and snapshots unreadable or different.

The digests date from before models, features and outcomes were registered one by one."""

import random
from dataclasses import replace
from hashlib import sha256
from math import nan
from pathlib import Path

import msgpack
import pytest

from schemas.marks import HighWater
from streams.declarations import as_before
from streams.deployment import definitions_of, deployment_id
from streams.features.plan import FeaturePlan
from streams.identity import Position
from streams.keys import Key, Keys
from streams.models.factory import build_model
from streams.models.snapshot import Snapshot, dump_snapshot, load_snapshot
from streams.models.version import Version
from streams.usecases import Arm, HoeffdingTree, LastValue, Linear, Logistic, PriorRate, UseCase, load_use_case

ROOT = Path(__file__).parents[3]
KEY = Keys.of(Key.of("", b"k" * 32))


def load(ref: str) -> UseCase:
    return load_use_case(str(ROOT / ref) if "/" in ref else ref)


def digest(data: bytes) -> str:
    return sha256(data).hexdigest()[:24]


def of_release_0_1(use_case: UseCase) -> UseCase:
    """Return the use case with the former value of every setting that was added since."""

    def former(arm: Arm) -> Arm:
        return replace(arm, model=replace(arm.model, **as_before(type(arm.model))))  # type: ignore[type-var]

    targets = tuple(replace(target, arms=tuple(map(former, target.arms))) for target in use_case.targets)
    return replace(use_case, targets=targets)


@pytest.mark.parametrize(
    "ref,expected",
    [
        ("retail", "bc06ff1b4228abe8"),
        ("telecom", "19731c170be68978"),
        ("load/chaos/use_case", "6286b976f7abda5d"),
    ],
)
def test_a_setting_that_was_added_leaves_former_definitions_as_they_were(ref: str, expected: str) -> None:
    assert deployment_id(definitions_of(of_release_0_1(load(ref)))) == expected


@pytest.mark.parametrize(
    "ref,expected",
    [
        ("retail", "fc82fe06bc4042b9"),
        ("telecom", "6cc8e20b9429ecfb"),
        ("load/chaos/use_case", "383232a4841aeccb"),
        ("load/closed_loop/elec2", "efcb30943fcd9dac"),
        ("load/closed_loop/phishing", "aedbec0812671df7"),
        ("load/reference/use_case", "273af6f418937064"),
        ("load/reference/use_case/explicit_outcomes.py", "44a390382f0ab1a0"),
    ],
)
def test_deployment_ids(ref: str, expected: str) -> None:
    assert deployment_id(definitions_of(load(ref))) == expected


def fingerprint(ref: str) -> str:
    return digest(FeaturePlan(load(ref))._layout.fingerprint)


@pytest.mark.parametrize(
    "ref,expected",
    [
        ("retail", "e85c2df2d3a9bff36c68aa5e"),
        ("telecom", "93ad4d27d124757e7cb08eaf"),
        ("load/reference/use_case", "8f7966ec72c60ced55afeb40"),
    ],
)
def test_layouts_of_customer_states(ref: str, expected: str) -> None:
    assert fingerprint(ref) == expected


SNAPSHOTS = [
    ("binary", Logistic(), "b0b0e9fb4487a439fd1019ef"),
    ("binary", Logistic(robust=False), "c009248dcb5ebbdaa0ce01c0"),
    ("binary", Logistic(l2=0.01, features=("c", "a"), robust=False), "704733a1d7d150d8832caece"),
    ("binary", PriorRate(), "3f058efc74f7dcb8d22a509c"),
    ("regression", Linear(), "38990a56cb712afd7619d722"),
    ("regression", Linear(robust=False), "aa18daa589b919f7215bb425"),
    ("regression", Linear(l2=0.01, features=("c", "a"), clip_gradient=0.5, robust=False), "a31c6c12f772b3c53560374c"),
    ("regression", PriorRate(), "ca0046947b626ee693a6c644"),
    ("regression", LastValue("b"), "12a9c7b363d9730d65387a3b"),
]


def snapshot_of(kind: str, declared: object) -> bytes:
    names, rng = ("a", "b", "c"), random.Random(1)
    model = build_model(Arm("arm", declared), "t", kind, names, 1)
    for _ in range(0 if isinstance(declared, Logistic) else 300):  # the last bit of exp may differ between machines
        vector = [nan if rng.random() < 0.1 else rng.random() - 0.5 for _ in names]
        score = sum(x for x in vector if x == x)
        model.learn(vector, float(score > 0) if kind == "binary" else score)
    marks = HighWater({0: (7, 300, 0)})
    text = repr((declared, kind, names))
    return dump_snapshot(Snapshot(Version("t", "arm", 1, 299), model, marks, Position(300), 300, declared=text), KEY)


@pytest.mark.parametrize("kind,declared,expected", SNAPSHOTS)
def test_snapshots(kind: str, declared: object, expected: str) -> None:
    """The snapshots of models whose bytes do not depend on River or Python stay the same."""
    blob = snapshot_of(kind, declared)
    assert digest(blob) == expected
    assert dump_snapshot(load_snapshot(blob, KEY), KEY) == blob


def test_a_snapshot_of_a_former_release_is_one_without_the_last_field() -> None:
    former = load_snapshot(snapshot_of("binary", Logistic(robust=False)), KEY)
    assert former.inputs == ""
    former.inputs = "0123456789abcdef"
    blob = dump_snapshot(former, KEY)
    assert digest(blob) == "cbc8141f1ffda497a748d131"
    assert load_snapshot(blob, KEY).inputs == former.inputs


STATES = [(b"", "6d2cf99d1c6bb87000fd962e"), (b"other", "abd2ea375d59e42d67290ad4")]


@pytest.mark.parametrize("first,expected", STATES, ids=["first features", "later features"])
def test_states_of_customers(first: bytes, expected: str) -> None:
    plan = FeaturePlan(load("retail"))
    state = plan.new_state()
    for day in range(40):
        moment = day * 86_400_000
        plan.update(state, "Purchase", {"amount_cents": 100 * day, "items": day, "occurred_at": moment}, moment)
    state.digests.remember(b"12345678")
    packed = plan.stored.pack(state, first and plan.stored.retained + first)
    assert digest(packed) == expected


def test_a_state_of_a_former_release_has_its_ids_as_plain_bytes() -> None:
    """They are digests of the ids alone: what has one of these ids stays a duplicate."""
    plan = FeaturePlan(load("retail"))
    fingerprint, clock, due, _, registers, series = msgpack.unpackb(plan.stored.pack(plan.new_state()))
    former = plan.stored.unpack(msgpack.packb([fingerprint, clock, due, b"12345678", registers, series]))
    assert (former.digests.data, former.digests.former) == (b"", b"12345678")
    assert plan.stored.unpack(plan.stored.pack(former)) == former


def test_pickled_trees_name_the_function_that_restores_their_leaves() -> None:
    """Snapshots contain this path. The function must stay in its module."""
    assert b"streams.models.trees" in snapshot_of("binary", HoeffdingTree())
    assert b"_distribution" in snapshot_of("binary", HoeffdingTree())
