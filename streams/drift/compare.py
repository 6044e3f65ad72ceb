"""Tests whether a window differs from the reference by more than chance and clustering explain, and by enough."""

from collections.abc import Sequence
from math import sqrt

from streams.drift import psi
from streams.drift.registry import STATISTICS
from streams.drift.sketch import Histogram, merged
from streams.drift.statistic import LEAST_VALUES, DriftFinding, Reference


def reference_of(windows: Sequence[Histogram]) -> Reference:
    """Build the reference from windows.

    Questions about one customer are similar, and days differ. Both make windows vary more than the tests assume. So
    each window is compared with all others. The mean chi-square per degree of freedom is the design effect, by which
    thresholds grow (Rao and Scott, "On chi-squared tests for multiway contingency tables", Annals of Statistics 12,
    1984). Few windows estimate it roughly, so that two standard errors are added."""
    ratios, freedom = [], 0
    for number, window in enumerate(windows):
        rest = merged([*windows[:number], *windows[number + 1 :]])
        if min(window.total, rest.total) < LEAST_VALUES:
            continue
        table = psi.bins(rest, window)
        if len(table) > 1:
            freedom += len(table) - 1
            chance = (len(table) - 1) * (1 / rest.total + 1 / window.total)
            ratios.append(psi.psi(table) / chance)
    design = sum(ratios) / len(ratios) * (1 + 2 * sqrt(2 / freedom)) if ratios else 1.0
    return Reference(merged(windows), max(1.0, design))


def compare(reference: Reference, current: Histogram, alpha: float) -> list[DriftFinding]:
    """Return the findings of all statistics that are defined. `alpha`: probability of a false alarm of each."""
    if not reference.histogram.total or not current.total:
        return []
    findings = (statistic.compare(reference, current, alpha) for statistic in STATISTICS.values())
    return [finding for finding in findings if finding is not None]
