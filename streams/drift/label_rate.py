"""The rate of a binary label against that of the reference.

PSI and KS look for differences that matter to a model's inputs, and pass over a rare label that doubles."""

from collections.abc import Sequence
from math import sqrt
from statistics import NormalDist

from streams.drift.sketch import Histogram, merged
from streams.drift.statistic import LEAST_VALUES, DriftFinding, Reference

NAME = "rate"
LEAST = 0.5
"""A smaller change never alerts, as a share of rate × (1 − rate): half of a rare label's rate."""

CRITICAL = 0.1
"""A change at or above this is critical; below it, a warning."""


def rate_reference(windows: Sequence[Histogram]) -> Reference:
    """Build the reference from windows. The design effect is how many times more their rates vary than independent
    labels would, with two standard errors added, because a few windows estimate it roughly."""
    whole, freedom = merged(windows), len(windows) - 1
    rate = whole.mean or 0.0
    spread = rate * (1 - rate)
    if not freedom or not spread:
        return Reference(whole)
    ratios = sum(window.known * ((window.mean or 0.0) - rate) ** 2 / spread for window in windows)
    return Reference(whole, max(1.0, ratios / freedom * (1 + 2 * sqrt(2 / freedom))))


def compare_rates(reference: Reference, current: Histogram, alpha: float) -> DriftFinding | None:
    """Return the difference between two rates of a label 1 or 0; None when either has no labels.

    alpha: probability of a false alarm when nothing has changed."""
    past, now = reference.histogram.mean, current.mean
    if past is None or now is None:
        return None
    threshold = None
    n, m = reference.histogram.known, current.known
    if min(n, m) >= LEAST_VALUES:
        pooled = (past * n + now * m) / (n + m)
        chance = NormalDist().inv_cdf(1 - alpha / 2) * sqrt(
            max(0.0, reference.design * pooled * (1 - pooled) * (1 / n + 1 / m))
        )
        threshold = max(LEAST * past * (1 - past), chance)
    return DriftFinding(NAME, abs(now - past), threshold)
