"""Contract of every registered loss detector. A steady loss is not a change, a rise is found in time, and a stored copy
behaves like the original."""

import random
from collections.abc import Callable, Iterable
from itertools import chain

import msgpack
import pytest

from streams.drift.loss_detector import Change, LossDetector
from streams.drift.registry import DETECTORS, STATISTICS

DELTA = 0.002
detectors = pytest.mark.parametrize("make", DETECTORS.values(), ids=DETECTORS)


def test_alerts_tell_them_apart_by_name() -> None:
    names = [each.name for each in (*STATISTICS.values(), *DETECTORS.values())]
    assert len(set(names)) == len(names) and all(name.isidentifier() for name in names)


def rare(chance: random.Random, level: float) -> float:
    """Return a squared error that is small most of the time."""
    return chance.random() if chance.random() < level else 0.01 * chance.random()


def even(chance: random.Random, level: float) -> float:
    return min(max(chance.gauss(level, 0.15), 0.0), 1.0)


LOSSES: list[tuple[Callable[[random.Random, float], float], float, float]] = [(rare, 0.05, 0.4), (even, 0.3, 0.5)]
"""A kind of loss, its level, and a higher level."""
losses = pytest.mark.parametrize("draw,low,high", LOSSES, ids=["rare", "even"])


def changes(detector: LossDetector, stream: Iterable[float]) -> list[tuple[int, Change]]:
    found = ((number, detector.update(loss)) for number, loss in enumerate(stream))
    return [(number, change) for number, change in found if change is not None]


@detectors
@losses
def test_a_loss_that_stays_is_no_change(
    make: type[LossDetector], draw: Callable[[random.Random, float], float], low: float, high: float
) -> None:
    for seed in range(3):
        chance = random.Random(seed)
        assert changes(make(DELTA), (draw(chance, low) for _ in range(30_000))) == []


@detectors
@losses
def test_a_rise_is_found_in_time_and_located(
    make: type[LossDetector], draw: Callable[[random.Random, float], float], low: float, high: float
) -> None:
    for seed in range(10):
        chance = random.Random(seed)
        detector = make(DELTA)
        stream = chain((draw(chance, low) for _ in range(4000)), (draw(chance, high) for _ in range(600)))
        found = changes(detector, stream)
        assert found, "a rise of this size must be found within 600 examples"
        at, change = found[0]
        assert at >= 4000 and change.after > change.before
        assert change.examples_before > 0 and abs(at - 4000 - change.examples_after) < 150
        assert change.threshold > 0


@detectors
@losses
def test_a_fall_is_no_rise(
    make: type[LossDetector], draw: Callable[[random.Random, float], float], low: float, high: float
) -> None:
    chance = random.Random(1)
    stream = chain((draw(chance, high) for _ in range(4000)), (draw(chance, low) for _ in range(4000)))
    assert all(change.after < change.before for _, change in changes(make(DELTA), stream))


@detectors
@losses
def test_a_stored_copy_goes_on_the_same(
    make: type[LossDetector], draw: Callable[[random.Random, float], float], low: float, high: float
) -> None:
    chance = random.Random(2)
    stream = [draw(chance, high if 2000 <= number < 2900 else low) for number in range(5000)]
    whole, copy = make(DELTA), make(DELTA)
    for number, loss in enumerate(stream):
        change, found = whole.update(loss), copy.update(loss)
        assert (change, whole.mean) == (found, copy.mean)
        if number % 37 == 0 or change is not None:
            packed = msgpack.packb(copy.pack())
            assert packed == msgpack.packb(whole.pack()) and len(packed) < 20_000
            copy = make(DELTA)
            copy.unpack(msgpack.unpackb(packed))
