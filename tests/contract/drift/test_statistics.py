"""Contract of every registered drift statistic."""

import random

import pytest

from streams.drift.registry import STATISTICS
from streams.drift.sketch import Histogram
from streams.drift.statistic import LEAST_VALUES, Reference, Statistic

ALPHA = 1e-4


def histogram(seed: int, size: int, shift: float = 0.0, scale: float = 1.0) -> Histogram:
    chance = random.Random(seed)
    result = Histogram()
    for _ in range(size):
        result.add(chance.gauss(10.0 + shift, scale))
    return result


@pytest.fixture(params=STATISTICS.values(), ids=lambda statistic: statistic.name)
def statistic(request: pytest.FixtureRequest) -> type[Statistic]:
    found: type[Statistic] = request.param
    return found


def test_it_finds_a_shift_and_is_quiet_without_one(statistic: type[Statistic]) -> None:
    reference = Reference(histogram(1, 5000))
    same = statistic.compare(reference, histogram(2, 5000), ALPHA)
    other = statistic.compare(reference, histogram(3, 5000, shift=2.0), ALPHA)
    assert same is not None and not same.drifted
    assert other is not None and other.drifted and other.value >= statistic.critical
    assert other.statistic == statistic.name == same.statistic


def test_few_values_are_shown_and_not_tested(statistic: type[Statistic]) -> None:
    finding = statistic.compare(Reference(histogram(1, 5000)), histogram(2, LEAST_VALUES - 1, shift=5.0), ALPHA)
    assert finding is not None and finding.threshold is None and not finding.drifted


def test_a_larger_design_effect_raises_the_threshold(statistic: type[Statistic]) -> None:
    once, thrice = (
        statistic.compare(Reference(histogram(1, 400), design), histogram(2, 400), 1e-6) for design in (1.0, 3.0)
    )
    assert once is not None and thrice is not None and once.threshold is not None and thrice.threshold is not None
    assert thrice.threshold > once.threshold


def test_missing_values_alone_raise_no_error(statistic: type[Statistic]) -> None:
    missing = Histogram()
    for _ in range(500):
        missing.add(float("nan"))
    statistic.compare(Reference(histogram(1, 500)), missing, ALPHA)
    statistic.compare(Reference(missing), histogram(1, 500), ALPHA)


def test_the_inputs_stay_as_they_are(statistic: type[Statistic]) -> None:
    past, now = histogram(1, 1000), histogram(2, 1000)
    before = past.pack(), now.pack()
    first = statistic.compare(Reference(past), now, ALPHA)
    assert (past.pack(), now.pack()) == before
    assert statistic.compare(Reference(past), now, ALPHA) == first
