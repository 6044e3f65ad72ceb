"""The document's figures on even spread agree with known cases."""

import pytest

from agents.sizing.spread import busiest_partition, busiest_shard, shard_loads, zipf


def test_every_partition_has_a_shard() -> None:
    assert sum(shard_loads(256, 16, 1_790_000_000)) == 256
    assert shard_loads(64, 1, 1_790_000_000) == [64]


def test_more_partitions_spread_better() -> None:
    assert busiest_shard(1024, 16) < busiest_shard(64, 16) < busiest_shard(16, 16)
    assert busiest_shard(64, 1) == 1


def test_customers_that_are_alike_spread_evenly_and_a_heavy_one_does_not() -> None:
    assert busiest_partition(4, [1.0] * 4000) < 1.1
    assert busiest_partition(4, [4000.0] + [1.0] * 4000) == pytest.approx(2.5, abs=0.1)


def test_zipf() -> None:
    assert sorted(zipf(3, 1.0)) == pytest.approx([1 / 3, 1 / 2, 1])
