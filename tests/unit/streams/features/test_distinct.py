import random
from math import sqrt
from statistics import mean, pstdev

from streams.features.distinct import add, count, hash64


def kept(values, cap):
    hashes = []
    for value in values:
        add(hashes, value, cap)
    return hashes


def test_exact_up_to_the_cap_and_bounded_above_it():
    for number in range(65):
        assert count([kept(range(number), 64)], 64) == number
    ascending = sorted(range(65), key=hash64)
    assert len(kept(ascending, 64)) == 65, "one value more than the cap marks the count as inexact"
    full = kept(range(10_000), 64)
    assert full == sorted(hash64(v) for v in range(10_000))[:65]


def test_an_estimate_is_as_good_as_it_says():
    """The estimate is unbiased. Its relative standard error is 1/sqrt(cap - 1), 12.6 % for a cap of 64. The mean of 200
    trials is within three standard errors."""
    cap, true = 64, 1_000
    errors = [count([kept([f"{trial}/{v}" for v in range(true)], cap)], cap) / true - 1 for trial in range(200)]
    stated = 1 / sqrt(cap - 1)
    assert abs(mean(errors)) < 3 * stated / sqrt(len(errors))
    assert 0.8 * stated < pstdev(errors) < 1.2 * stated


def test_tiles_merge_as_if_they_had_been_one():
    chance = random.Random(7)
    values = [chance.randrange(500) for _ in range(2_000)]
    tiles = [kept(values[i::5], 16) for i in range(5)]
    assert count(tiles, 16) == count([kept(values, 16)], 16)
    assert count([kept("abc", 4), kept("cdef", 4)], 4) == 6, "the union of complete parts is exact"
    assert count([], 4) == 0


def test_values_of_different_types_differ_and_hashes_never_change():
    assert len({hash64(v) for v in ("1", 1, 1.0, True, b"1")}) == 5
    assert hash64("café") == 0x82181123E6A78A8D
