"""A mergeable histogram with log-spaced buckets that does not depend on the order of the values.

Bucket 0 holds |x| < 2^-30. Bucket k > 0 holds 2^(q-30) (1 + r/32) <= x < 2^(q-30) (1 + (r+1)/32) where
q, r = divmod(k - 1, 32); bucket -k holds their negatives. The last buckets, +-2560, also hold everything beyond 2^50.
The middle of a bucket is within 1/64 = 1.6 % of its values, integers below 64 have buckets of their own, and there are
at most 5,121 buckets. This is DDSketch with linear interpolation inside each octave (Masson, Rim and Lee, "DDSketch",
VLDB 2019). It uses `frexp` instead of a logarithm, and so is exact on every machine."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import frexp, fsum, nan
from typing import Any

from schemas.records import HistogramRecord

STEPS = 32
"""Buckets per octave."""
LEAST = 2.0**-30
"""Magnitudes below this count as zero."""
MOST = 80 * STEPS
"""Index of the last bucket."""
_SHIFT = 29 * STEPS + 1 - STEPS


def bucket_of(value: float) -> int:
    """Return the index of the bucket that holds `value`, which must not be NaN."""
    size = abs(value)
    if size < LEAST:
        return 0
    if size >= 2.0**50:
        index = MOST
    else:
        half, exponent = frexp(size)
        index = exponent * STEPS + int(half * (2 * STEPS)) + _SHIFT
    return index if value > 0 else -index


def bounds(index: int) -> tuple[float, float]:
    """Return the (lowest, highest) value of a bucket; those of the zero bucket are (-2^-30, 2^-30)."""
    if index == 0:
        return (-LEAST, LEAST)
    octave, step = divmod(abs(index) - 1, STEPS)
    base = 2.0 ** (octave - 30)
    low, high = base * (1 + step / STEPS), base * (1 + (step + 1) / STEPS)
    return (low, high) if index > 0 else (-high, -low)


@dataclass(slots=True)
class Histogram:
    """Counts per bucket. `total` includes the `missing` (NaN) values; `sum` is that of the known ones."""

    counts: dict[int, int] = field(default_factory=dict)
    missing: int = 0
    total: int = 0
    sum: float = 0.0

    def add(self, value: float) -> None:
        """Count a value; NaN is missing. The sum is rounded at each value, in the order of the log."""
        self.total += 1
        if value != value:
            self.missing += 1
            return
        index = bucket_of(value)
        self.counts[index] = self.counts.get(index, 0) + 1
        self.sum += value

    @property
    def known(self) -> int:
        """Return the number of known values."""
        return self.total - self.missing

    @property
    def mean(self) -> float | None:
        """Return the mean of the known values; None without any."""
        return self.sum / self.known if self.known else None

    @property
    def missing_rate(self) -> float:
        """Return the share of missing values; 0 without any values."""
        return self.missing / self.total if self.total else 0.0

    def to_record(self) -> HistogramRecord:
        """Return the record tidecast.Histogram, buckets ascending."""
        buckets = sorted(self.counts)
        counts = [self.counts[index] for index in buckets]
        return {
            "buckets": buckets,
            "counts": counts,
            "missing": self.missing,
            "total": self.total,
            "sum": self.sum,
        }

    @classmethod
    def from_record(cls, record: HistogramRecord) -> "Histogram":
        """Build the histogram from a record of `to_record`."""
        counts = dict(zip(record["buckets"], record["counts"], strict=True))
        return cls(counts, record["missing"], record["total"], record["sum"])

    def pack(self) -> list[Any]:
        """Return a list for msgpack; equal for equal histograms."""
        return list(self.to_record().values())

    @classmethod
    def unpack(cls, packed: Sequence[Any]) -> "Histogram":
        """Build the histogram from a list of `pack`."""
        buckets, counts, missing, total, amount = packed
        return cls(dict(zip(buckets, counts, strict=True)), missing, total, amount)


def _sum(values: Sequence[float]) -> float:
    """Return the sum, the same in every order; NaN where opposite infinities or an overflow leave none."""
    try:
        return fsum(values)
    except (OverflowError, ValueError):
        return nan


def merged(parts: Sequence[Histogram]) -> Histogram:
    """Merge histograms; the result is exactly the same for every order of the parts."""
    counts: dict[int, int] = {}
    for part in parts:
        for index, count in part.counts.items():
            counts[index] = counts.get(index, 0) + count
    missing, total = sum(part.missing for part in parts), sum(part.total for part in parts)
    return Histogram(counts, missing, total, _sum([part.sum for part in parts]))
