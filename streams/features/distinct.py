"""Distinct counts: a sorted list of the smallest 64-bit hashes, the KMV sketch of Bar-Yossef et al. (2002).

A list holds at most cap + 1 hashes. A list of at most `cap` hashes is complete, and its length is exact. A full list
holds the k = cap + 1 smallest hashes: (k - 1) / (k-th hash / 2^64) estimates the number without bias, with a relative
standard error of about 1 / sqrt(k - 2) (Beyer et al., SIGMOD 2007). The k smallest hashes of a union follow from the k
smallest of its parts, so that tiles merge exactly."""

from bisect import bisect_left
from collections.abc import Sequence
from hashlib import blake2b
from typing import Any


def hash64(value: Any) -> int:
    """Return 64 bits of BLAKE2b over the value and its type, the same on every machine."""
    data = value if isinstance(value, bytes) else f"{type(value).__name__}:{value}".encode()
    return int.from_bytes(blake2b(data, digest_size=8).digest(), "big")


def add(kept: list[int], value: Any, cap: int) -> None:
    """Add a value to a list, in place."""
    hashed = hash64(value)
    at = bisect_left(kept, hashed)
    if at < len(kept) and kept[at] == hashed:
        return
    if at <= cap:
        kept.insert(at, hashed)
        del kept[cap + 1 :]


def count(lists: Sequence[list[int]], cap: int) -> float:
    """Return the number of different values in all lists together; exact while none of them is full."""
    if len(lists) == 1 and len(lists[0]) <= cap:
        return float(len(lists[0]))
    together = set().union(*lists)
    if all(len(kept) <= cap for kept in lists):
        return float(len(together))
    return cap / ((sorted(together)[cap] + 1) / 2.0**64)
