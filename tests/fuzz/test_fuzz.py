"""A short `python -m tests.fuzz` with fixed inputs. The fuzzer also detects each kind of failure."""

import importlib
import os
import sys
import types
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fuzz.mutate import Mutator
from tests.fuzz.own import fuzz
from tests.waiting import PATIENCE_S

INPUTS = {"decoder": 3000, "control": 3000, "snapshot": 3000, "endpoint": 10_000, "scoring": 60}
DEFECTS = Path(__file__).parent / "defects"


@pytest.mark.parametrize("name", INPUTS)
def test_nothing_is_raised(name: str) -> None:
    target = importlib.import_module(f"tests.fuzz.targets.{name}")
    mutator = Mutator(target.SEEDS, 1)
    for data in [*target.SEEDS, *(mutator.draw() for _ in range(INPUTS[name]))]:
        target.check(data)


@pytest.mark.parametrize("file", sorted(DEFECTS.glob("*-*")), ids=lambda file: file.name)
def test_what_was_found_once_does_not_come_back(file: Path) -> None:
    importlib.import_module(f"tests.fuzz.targets.{file.name.partition('-')[0]}").check(file.read_bytes())


def test_every_bit_of_a_snapshot_counts() -> None:
    target = importlib.import_module("tests.fuzz.targets.snapshot")
    good = target.GOOD[0]
    for bit in range(8 * len(good)):
        changed = bytearray(good)
        changed[bit // 8] ^= 1 << bit % 8
        target.check(b"\0" + bytes(changed))
    for length in range(len(good)):
        target.check(b"\0" + good[:length])


@pytest.fixture
def faulty() -> Iterator[types.ModuleType]:
    """Yield a target without a check. The test adds a faulty one."""
    module = types.ModuleType("tests.fuzz.targets.faulty")
    module.SEEDS = [b"seed"]  # type: ignore[attr-defined]
    sys.modules[module.__name__] = module
    yield module
    del sys.modules[module.__name__]


def _crash(data: bytes) -> None:
    raise KeyError(data)


def _die(data: bytes) -> None:
    os._exit(3)


def _hang(data: bytes) -> None:
    while True:
        pass


def _swell(data: bytes) -> None:
    if data != b"seed":
        assert len(b"x" * (100 << 20))


@pytest.mark.parametrize(
    ("fault", "words"), [(_crash, "KeyError"), (_die, "died"), (_hang, "hangs"), (_swell, "grew by")]
)
def test_the_fuzzer_sees_it(
    fault: object, words: str, faulty: types.ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.fuzz.own.PATIENCE_S", 0.5 if fault is _hang else PATIENCE_S)
    monkeypatch.setattr("tests.fuzz.own.SWELL_BYTES", 50 << 20)
    faulty.check = fault  # type: ignore[attr-defined]
    result = fuzz("faulty", PATIENCE_S, 1000, 1, most_defects=1)
    assert len(result.defects) == 1
    assert words in result.defects[0][0]


def test_the_mutator_is_seeded() -> None:
    one, other = Mutator([b"abc"], 5), Mutator([b"abc"], 5)
    assert [one.draw() for _ in range(100)] == [other.draw() for _ in range(100)]
