import math
import random

import pytest

from streams.drift.sketch import LEAST, MOST, Histogram, bounds, bucket_of, merged


@pytest.mark.parametrize(
    ("value", "bucket"),
    [(0.0, 0), (-0.0, 0), (LEAST / 2, 0), (LEAST, 1), (-LEAST, -1), (2.0**50, MOST), (1e300, MOST), (-math.inf, -MOST)],
)
def test_zero_and_the_far_ends(value: float, bucket: int) -> None:
    assert bucket_of(value) == bucket


def test_every_value_lies_in_its_bucket_and_a_bucket_is_three_percent_wide() -> None:
    chance = random.Random(3)
    for _ in range(20_000):
        size = math.ldexp(1 + chance.random(), chance.randrange(-30, 49))
        index = bucket_of(size)
        low, high = bounds(index)
        assert 1 <= index <= MOST and low <= size < high and high <= low * (1 + 1 / 32)
        assert abs((low + high) / 2 - size) <= size / 64
        assert bucket_of(-size) == -index and bounds(-index) == (-high, -low)


def test_buckets_follow_each_other_without_gaps() -> None:
    for index in range(1, MOST):
        assert bounds(index)[1] == bounds(index + 1)[0] and bucket_of(bounds(index)[0]) == index


def test_integers_below_64_have_buckets_of_their_own() -> None:
    assert len({bucket_of(float(number)) for number in range(-63, 64)}) == 127


def test_missing_values_are_counted_apart() -> None:
    histogram = Histogram()
    for value in (1.0, math.nan, -2.5, math.nan, 1.0):
        histogram.add(value)
    assert (histogram.total, histogram.missing, histogram.known) == (5, 2, 3)
    assert histogram.mean == pytest.approx(-0.5 / 3) and histogram.missing_rate == 0.4
    assert Histogram().mean is None and Histogram().missing_rate == 0.0


def test_records_and_packed_lists_come_back_and_are_ordered() -> None:
    one, other = Histogram(), Histogram()
    for value in (3.0, -1.0, math.nan, 0.0):
        one.add(value)
    for value in (-1.0, 0.0, 3.0, math.nan):
        other.add(value)
    assert one.to_record()["buckets"] == sorted(one.counts)
    assert one.pack() == other.pack()
    assert Histogram.from_record(one.to_record()) == one == Histogram.unpack(one.pack())


def test_merging_is_the_same_for_every_order() -> None:
    chance = random.Random(5)
    parts = [Histogram() for _ in range(5)]
    for _ in range(500):
        chance.choice(parts).add(chance.choice([math.nan, chance.gauss(0, 1e6)]))
    whole = merged(parts)
    for _ in range(20):
        chance.shuffle(parts)
        assert merged(parts) == whole
    assert merged([]) == Histogram()
