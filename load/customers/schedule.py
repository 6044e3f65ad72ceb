"""When each event is meant to be published, whatever the system under load does: an open loop.

A generator that waits for a slow system measures only the moments in which it was fast (coordinated omission: Tene,
"How NOT to Measure Latency"). Here every event has its moment beforehand, which becomes its Kafka timestamp, so that
latency counts from when it should have gone, not from when it could."""

from collections.abc import Sequence
from typing import Any

import numpy as np

STEPS = 10_000
"""Pieces in which a run's load is taken to be constant."""


class EventSchedule:
    """Moments of the events of a run of `seconds`, at `rate` events a second times the scenario's load."""

    def __init__(
        self,
        rate: float,
        seconds: float,
        load: Sequence[tuple[float, float]],
        outage: tuple[float, float] | None = None,
    ) -> None:
        ats, factors = zip(*load, strict=True)
        middles = (np.arange(STEPS) + 0.5) / STEPS
        each = rate * np.interp(middles, ats, factors) * seconds / STEPS
        self._sums = np.concatenate([[0.0], np.cumsum(each)])
        self._moments = np.linspace(0.0, seconds, STEPS + 1)
        self._outage = None if outage is None else (outage[0] * seconds, outage[1] * seconds)
        self.events = max(1, int(self._sums[-1]))

    def moments(self, first: int, count: int) -> Any:
        """Seconds from the start at which the events from number `first` on are due."""
        due = np.interp(np.arange(first, first + count) + 0.5, self._sums, self._moments)
        if self._outage is not None:
            begin, end = self._outage
            due = np.where((due >= begin) & (due < end), end, due)
        return due
