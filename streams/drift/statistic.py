"""Defines what a drift statistic is: it compares a window's histogram with the reference.

A statistic has one file in streams/drift and one line in streams/drift/registry."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from streams.drift.sketch import Histogram

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
    """The reference of windows. `design`: the design effect. Windows vary this many times more than independent values
    would."""

    histogram: Histogram
    design: float = 1.0


class Statistic(ABC):
    """A drift statistic. Its name stands in alerts and never changes."""

    name: ClassVar[str]
    critical: ClassVar[float]
    """An alert that opens at or above this value is critical; below it, a warning."""

    @classmethod
    @abstractmethod
    def compare(cls, reference: Reference, current: Histogram, alpha: float) -> DriftFinding | None:
        """Return the finding of a window, neither of whose histograms is empty; None where it is not defined.

        alpha: probability of a false alarm when nothing has changed."""
