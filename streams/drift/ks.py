"""Two-sample Kolmogorov-Smirnov distance of two histograms, and its threshold."""

from math import log, sqrt

from streams.drift.sketch import Histogram
from streams.drift.statistic import LEAST_VALUES, DriftFinding, Reference, Statistic

LEAST = 0.05
"""A smaller distance never alerts, however significant: a huge window finds differences that do not matter."""


class Ks(Statistic):
    """The two-sample Kolmogorov-Smirnov distance. It is defined where both histograms have known values."""

    name = "ks"
    critical = 0.2

    @classmethod
    def compare(cls, reference: Reference, current: Histogram, alpha: float) -> DriftFinding | None:
        """See Statistic."""
        past, design = reference.histogram, reference.design
        if not (past.known and current.known):
            return None
        threshold = None
        if min(past.known, current.known) >= LEAST_VALUES * design:
            threshold = max(LEAST, by_chance(past.known, current.known, alpha) * sqrt(design))
        return DriftFinding(cls.name, ks(past, current), threshold)


def ks(reference: Histogram, current: Histogram) -> float:
    """Return the greatest difference between the two shares of known values below any bucket's end, 0 to 1.

    Both must have known values. Buckets hide differences inside them, so the result is at most the distance of the
    values themselves, and its threshold errs on the side of silence."""
    n, m = reference.known, current.known
    lead = greatest = 0
    for index in sorted(reference.counts.keys() | current.counts.keys()):
        lead += reference.counts.get(index, 0) * m - current.counts.get(index, 0) * n
        greatest = max(greatest, abs(lead))
    return greatest / (n * m)


def by_chance(n: int, m: int, alpha: float) -> float:
    """Return the distance that samples of n and m independent values of one distribution exceed with probability at
    most `alpha`.

    The bound is the first term of Smirnov's asymptotic distribution, P(D > d) <= 2 exp(-2 d^2 n m / (n + m)) (Smirnov,
    "Table for estimating the goodness of fit of empirical distributions", 1948)."""
    return sqrt(log(2 / alpha) / 2 * (1 / n + 1 / m))
