"""Simulates how evenly customers and partitions are spread, with the real hash functions.

Customers go to partitions by murmur2, and partitions to a Redis Cluster's shards by the slot of their hash tag."""

from collections import Counter
from collections.abc import Sequence
from itertools import accumulate
from random import Random
from statistics import median

from redis.crc import key_slot

from streams.partitioner import partition_of

SLOTS = 16_384
EPOCHS = range(1_790_000_000, 1_790_000_021)
"""Log epochs over which the median is taken. The tag, and so the shard, depends on the epoch."""


def shard_loads(partitions: int, shards: int, epoch: int) -> list[int]:
    """Return the partitions per shard, where each shard has an equal, contiguous range of slots."""
    found = Counter(
        key_slot(f"tidecast:{{{epoch}.{number}}}:position".encode()) * shards // SLOTS for number in range(partitions)
    )
    return [found[shard] for shard in range(shards)]


def busiest_shard(partitions: int, shards: int) -> float:
    """Return the busiest shard's load over the mean, as the median of the epochs."""
    return median(max(shard_loads(partitions, shards, epoch)) for epoch in EPOCHS) * shards / partitions


def busiest_partition(partitions: int, weights: Sequence[float]) -> float:
    """Return the busiest partition's load over the mean, for customers with these shares of the events."""
    loads = [0.0] * partitions
    for number, weight in enumerate(weights):
        loads[partition_of(f"c-{number}", partitions)] += weight
    return max(loads) * partitions / sum(weights)


def zipf(customers: int, exponent: float) -> list[float]:
    """Return weights of Zipf's law, 1 / k^exponent, in random order."""
    weights = [(rank + 1) ** -exponent for rank in range(customers)]
    Random(7).shuffle(weights)
    return weights


def shard_table() -> str:
    """Return the table in Markdown."""
    counts = (4, 16, 64, 256, 1024)
    rows = [["shards", *(f"{count:,} partitions" for count in counts)]]
    rows += [
        [str(shards), *(f"{busiest_shard(n, shards):.2f}" if n >= shards else "–" for n in counts)]
        for shards in (2, 4, 16, 64)
    ]
    return _markdown(rows)


def partition_table(customers: int = 20_000) -> str:
    """Return the table in Markdown."""
    counts = (4, 16, 64, 256)
    rows = [["events per customer", "busiest customer", *(f"{count:,} partitions" for count in counts)]]
    for name, exponent in (("all alike", 0.0), ("Zipf 0.8", 0.8), ("Zipf 1", 1.0)):
        weights = zipf(customers, exponent)
        share = max(weights) / list(accumulate(weights))[-1]
        rows.append([name, f"{share:.2%}", *(f"{busiest_partition(count, weights):.2f}" for count in counts)])
    return _markdown(rows)


def _markdown(rows: Sequence[Sequence[str]]) -> str:
    head, *rest = ("| " + " | ".join(row) + " |" for row in rows)
    line = "|---|" + "---:|" * (len(rows[0]) - 1)
    return "\n".join([head, line, *rest]) + "\n"
