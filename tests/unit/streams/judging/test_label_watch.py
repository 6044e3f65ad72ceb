"""The label watch is quiet while nothing changes, and finds a rare label that doubles."""

import random

import pytest

from streams.drift.label_rate import compare_rates, rate_reference
from streams.drift.sketch import Histogram
from streams.judging.label_watch import LabelWatch


def labels(rng, number, rate, binary=True):
    found = Histogram()
    for _ in range(number):
        found.add(float(rng.random() < rate) if binary else rng.expovariate(rate))
    return found


def follow(watch, cohorts):
    """Return (number of the cohort, state) of the alerts."""
    found = []
    for number, cohort in enumerate(cohorts):
        for step in watch.take(cohort):
            if step.alert is None:
                watch.opened(step.finding, f"alert.{number}")
            found.append((number, "open" if step.alert is None else "closed"))
    return found


@pytest.mark.parametrize("rate", [0.01, 0.025, 0.3, 0.9, 0.0, 1.0])
def test_no_alert_while_the_rate_stays(rate):
    rng = random.Random(1)
    watch = LabelWatch(True, 3, 0.01)
    assert follow(watch, [labels(rng, 800, rate) for _ in range(200)]) == []


@pytest.mark.parametrize("before,after", [(0.025, 0.06), (0.025, 0.872), (0.1, 0.25), (0.5, 0.8), (0.9, 0.5)])
def test_a_rate_that_jumps_opens_one_alert_and_going_back_closes_it(before, after):
    rng = random.Random(2)
    rates = [before] * 10 + [after] * 5 + [before] * 5
    found = follow(LabelWatch(True, 4, 0.01), [labels(rng, 2000, rate) for rate in rates])
    assert found == [(10, "open"), (16, "closed")]


def test_amounts_are_watched_by_the_drift_statistics():
    rng = random.Random(3)
    cohorts = [labels(rng, 1000, 0.02 if number < 10 else 0.005, binary=False) for number in range(14)]
    assert {state for _, state in follow(LabelWatch(False, 4, 0.01), cohorts)} == {"open"}


def test_small_cohorts_are_neither_reference_nor_compared():
    rng = random.Random(4)
    watch = LabelWatch(True, 2, 0.01)
    assert follow(watch, [labels(rng, 20, 0.9) for _ in range(9)]) == []
    cohorts = [labels(rng, 500, 0.1), labels(rng, 500, 0.1), labels(rng, 50, 0.9), labels(rng, 500, 0.5)]
    assert follow(watch, cohorts) == [(3, "open")]


def test_rates_that_vary_from_window_to_window_widen_the_threshold():
    rng = random.Random(5)
    steady = rate_reference([labels(rng, 1000, 0.2) for _ in range(5)])
    seasonal = rate_reference([labels(rng, 1000, rate) for rate in (0.1, 0.3, 0.1, 0.3, 0.2)])
    assert seasonal.design > 5 * steady.design >= 5
    current = labels(rng, 1000, 0.35)
    quiet, loud = (compare_rates(reference, current, 0.001) for reference in (seasonal, steady))
    assert loud.drifted and not quiet.drifted


def test_a_packed_copy_goes_on_the_same():
    rng = random.Random(6)
    cohorts = [labels(rng, 1000, 0.1 if number < 8 else 0.4) for number in range(12)]
    whole, copy, found = LabelWatch(True, 3, 0.01), LabelWatch(True, 3, 0.01), []
    for number, cohort in enumerate(cohorts):
        again = LabelWatch(True, 3, 0.01)
        again.unpack(copy.pack())
        copy = again
        found += [(number, state) for _, state in follow(copy, [cohort])]
    assert found == follow(whole, cohorts) != []
