"""Sketches, PSI and KS agree with slow computations for any values."""

import math
from bisect import bisect_left, bisect_right

from hypothesis import given
from hypothesis import strategies as st

from streams.drift import ks, psi
from streams.drift.sketch import Histogram, bounds, bucket_of, merged

VALUES = st.one_of(
    st.floats(allow_nan=True, allow_infinity=True),
    st.integers(-50, 50).map(float),
    st.sampled_from([0.0, -0.0, 1e-10, 2.0**-30, 2.0**50, math.nan]),
)
SAMPLES = st.lists(VALUES, max_size=60)
KNOWN = st.lists(st.integers(-63, 63).map(float), min_size=1, max_size=60)


def histogram(values: list[float]) -> Histogram:
    result = Histogram()
    for value in values:
        result.add(value)
    return result


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_value_lies_in_its_bucket(value: float) -> None:
    low, high = bounds(bucket_of(value))
    inside = min(max(value, -(2.0**50)), 2.0**50)
    assert low <= inside <= high


@given(st.floats(allow_nan=False), st.floats(allow_nan=False))
def test_buckets_keep_the_order_of_values(one: float, other: float) -> None:
    assert (bucket_of(one) <= bucket_of(other)) or one > other


@given(st.lists(SAMPLES, max_size=5))
def test_merging_is_counting_all_together(parts: list[list[float]]) -> None:
    whole, together = merged([histogram(part) for part in parts]), histogram([v for part in parts for v in part])
    assert whole.counts == together.counts
    assert (whole.missing, whole.total) == (together.missing, together.total)


@given(SAMPLES)
def test_packed_and_recorded_histograms_come_back(values: list[float]) -> None:
    one = histogram(values)
    assert repr(Histogram.unpack(one.pack())) == repr(Histogram.from_record(one.to_record()))
    assert Histogram.unpack(one.pack()).pack() == one.pack() or math.isnan(one.sum)
    assert sum(one.counts.values()) + one.missing == len(values)


@given(KNOWN, KNOWN)
def test_ks_is_the_greatest_gap_between_the_distribution_functions(one: list[float], other: list[float]) -> None:
    first, second = sorted(one), sorted(other)
    gaps = [abs(bisect_right(first, x) / len(first) - bisect_right(second, x) / len(second)) for x in first + second]
    assert math.isclose(ks.ks(histogram(one), histogram(other)), max(gaps), abs_tol=1e-12)


@given(SAMPLES.filter(bool), SAMPLES.filter(bool), st.floats(1, 50))
def test_bins_count_every_value_once_and_psi_is_never_negative(
    one: list[float], other: list[float], design: float
) -> None:
    table = psi.bins(histogram(one), histogram(other), design)
    assert [sum(column) for column in zip(*table, strict=True)] == [len(one), len(other)]
    assert 1 <= len(table) <= 1.5 * psi.MOST_BINS + 1
    assert psi.psi(table) >= 0
    assert math.isclose(psi.psi([(b, a) for a, b in table]), psi.psi(table))


@given(KNOWN)
def test_nothing_drifts_from_itself(values: list[float]) -> None:
    one = histogram(values)
    assert ks.ks(one, one) == 0 and psi.psi(psi.bins(one, one)) == 0


@given(KNOWN, st.integers(-63, 63))
def test_ranks_can_be_read_from_buckets(values: list[float], bound: int) -> None:
    """Integers below 64 have their own buckets. Counts below such a bound are therefore exact."""
    below = sum(count for index, count in histogram(values).counts.items() if index < bucket_of(float(bound)))
    assert below == bisect_left(sorted(values), float(bound))
