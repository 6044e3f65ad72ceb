"""Tests whether a window differs from the reference by more than chance and clustering explain, and by enough."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import NamedTuple

from streams.drift import ks, psi
from streams.drift.sketch import Histogram, merged

LEAST_PSI = 0.1
LEAST_KS = 0.05
"""Smaller statistics never alert, however significant: a huge window finds differences that do not matter."""
CRITICAL = {"psi": 0.25, "ks": 0.2}
"""An alert that opens above this value is critical; below it, a warning."""
LEAST_VALUES = 100
"""A histogram with fewer values, divided by the design effect, is shown but not tested."""


class DriftFinding(NamedTuple):
    """A statistic of a histogram against the reference. `threshold` is None with too few values for a test."""

    statistic: str
    value: float
    threshold: float | None

    @property
    def drifted(self) -> bool:
        """Whether the finding raises an alert."""
        return self.threshold is not None and self.value > self.threshold


@dataclass(slots=True)
class Reference:
    """The reference of windows. `design`: how much more they vary than independent values would."""

    histogram: Histogram
    design: float = 1.0


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
    """Return PSI and KS of a window's histogram, where defined. `alpha`: probability of a false alarm of each."""
    past = reference.histogram
    if not past.total or not current.total:
        return []
    design = reference.design
    table = psi.bins(past, current, design)
    threshold = None
    if min(past.total, current.total) >= LEAST_VALUES * design:
        threshold = max(LEAST_PSI, psi.by_chance(table, alpha) * design)
    findings = [DriftFinding("psi", psi.psi(table), threshold)]
    if past.known and current.known:
        threshold = None
        if min(past.known, current.known) >= LEAST_VALUES * design:
            threshold = max(LEAST_KS, ks.by_chance(past.known, current.known, alpha) * sqrt(design))
        findings.append(DriftFinding("ks", ks.ks(past, current), threshold))
    return findings
