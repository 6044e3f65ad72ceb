"""The due time of each event, which does not depend on the system under load: an open loop.

A generator that waits for a slow system measures only its fast moments (coordinated omission: Tene, "How NOT to
Measure Latency"). Here the due time of an event is fixed beforehand and becomes its Kafka timestamp, so latency
counts from the time when it should have been sent."""

from collections.abc import Sequence
from typing import Any

import numpy as np

STEPS = 10_000
"""Intervals of a run in which the load is taken as constant."""


class EventSchedule:
    """The due times of a run of `seconds`, at `rate` events per second times the scenario's load."""

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
        """Return the due times of `count` events from number `first` on, in seconds from the start."""
        due = np.interp(np.arange(first, first + count) + 0.5, self._sums, self._moments)
        if self._outage is not None:
            begin, end = self._outage
            due = np.where((due >= begin) & (due < end), end, due)
        return due
