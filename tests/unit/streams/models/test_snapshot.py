"""Versions, seals and snapshots."""

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.marks import HighWater
from streams.identity import Position
from streams.keys import Key, Keys
from streams.models.factory import build_model
from streams.models.snapshot import (
    BadSnapshot,
    Served,
    Snapshot,
    dump_snapshot,
    load_snapshot,
    seal,
    sealed_with,
    unseal,
)
from streams.models.version import Version
from streams.usecases import Arm, HoeffdingTree

KEY = Keys.of(Key.of("", b"k" * 32))
RINGS = [KEY, Keys.of(Key.of("1", b"k" * 32))]


@given(st.binary(max_size=200), st.binary(max_size=40), st.sampled_from(["", "1", "2026-11-30"]))
def test_what_was_sealed_is_unsealed(payload: bytes, secret: bytes, id: str) -> None:
    keys = Keys.of(Key.of(id, secret), system="eu.", epoch=7)
    assert unseal(seal(payload, keys), keys) == unseal(seal(payload, Keys()), Keys()) == payload
    assert sealed_with(seal(payload, keys)) == id


@given(st.binary(max_size=60), st.data())
def test_any_changed_byte_is_refused(payload: bytes, data: st.DataObject) -> None:
    keys = data.draw(st.sampled_from(RINGS))
    blob = bytearray(seal(payload, keys))
    place = data.draw(st.integers(0, len(blob) - 1))
    blob[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(BadSnapshot):
        unseal(bytes(blob), keys)


@given(st.binary(max_size=60), st.data())
def test_cut_or_longer_bytes_are_refused(payload: bytes, data: st.DataObject) -> None:
    blob = seal(payload, KEY)
    cut = data.draw(st.integers(0, len(blob) - 1))
    for other in (blob[:cut], blob + b"x", b""):
        with pytest.raises(BadSnapshot):
            unseal(other, KEY)


def test_another_key_and_too_many_bytes_are_refused() -> None:
    blob = seal(b"x" * 100, KEY)
    with pytest.raises(BadSnapshot, match="signing key"):
        unseal(blob, Keys.of(Key.of("", b"other")))
    with pytest.raises(BadSnapshot, match="allowed"):
        unseal(blob, KEY, limit=100)
    with pytest.raises(BadSnapshot, match="smaller model"):
        seal(b"x" * 100, KEY, limit=100)


class Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return pytest.fail, ("unpickled before the seal was checked",)


def test_nothing_is_parsed_before_the_seal_is_checked() -> None:
    model = build_model(Arm("tree", HoeffdingTree()), "churn", "binary", ("a",), 1)
    snapshot = Snapshot(Version("churn", "tree", 1, 3), model, HighWater(), Position(4), 1)
    genuine = pickle.dumps(model.estimator, protocol=5)  # type: ignore[attr-defined]
    blob = dump_snapshot(snapshot, KEY)
    evil = pickle.dumps(Bomb(), protocol=5)
    forged = blob[: blob.find(genuine[:2]) or 40] + evil
    with pytest.raises(BadSnapshot):
        load_snapshot(forged, KEY)


def test_a_snapshot_comes_back_whole() -> None:
    model = build_model(Arm("tree", HoeffdingTree()), "churn", "binary", ("a", "b"), 1)
    model.learn([1.0, 2.0], 1.0)
    snapshot = Snapshot(
        version=Version("churn", "tree", 2, 81233),
        model=model,
        marks=HighWater({3: (7, 1 << 40, 2), 0: (7, 5, 0)}),
        position=Position(81234),
        examples=17,
        command=3,
        skipped=4,
        served=Served("a/b", b"\1\2", 5, 0),
        declared="so",
        deployment_id="ab12",
    )
    blob = dump_snapshot(snapshot, KEY)
    loaded = load_snapshot(blob, KEY)
    assert loaded.model is not None and loaded.model.predict([1.0, 2.0]) == model.predict([1.0, 2.0])
    loaded.model = snapshot.model
    assert loaded == snapshot
    failed = Snapshot(snapshot.version, None, HighWater(), Position(1), 1, failure="it broke")
    assert load_snapshot(dump_snapshot(failed, KEY), KEY) == failed


@given(
    st.text("abc/.@é", min_size=1).filter(lambda t: "/" not in t),
    st.text("abc.@é", min_size=1),
    st.integers(1, 99),
    st.integers(-1, 1 << 60),
)
def test_a_version_is_its_text(target: str, arm: str, lineage: int, offset: int) -> None:
    version = Version(target, arm, lineage, offset)
    assert Version.parse(str(version)) == version


@pytest.mark.parametrize("text", ["", "churn", "churn/x@1", "churn/x.1@", "/x.1@1", "churn/.1@1"])
def test_what_is_no_version(text: str) -> None:
    with pytest.raises(ValueError):
        Version.parse(text)
