"""The watch on a target's labels: alerts when their rate or distribution differs from that of the first cohorts."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from streams.drift import label_rate
from streams.drift.compare import compare, reference_of
from streams.drift.open_alerts import Alerts, Open
from streams.drift.registry import STATISTICS
from streams.drift.sketch import Histogram
from streams.drift.statistic import LEAST_VALUES, DriftFinding, Reference

SLOT = 0
"""A target has one distribution of labels."""


class LabelTransition(NamedTuple):
    """An alert opens or closes. `alert`: None when it opens; the caller then calls `opened`."""

    finding: DriftFinding
    alert: Open | None
    reference: Reference


class LabelWatch:
    """The reference and the open alerts of a target's labels.

    windows: number of first cohorts that are the reference. false_alarms: expected number of false alarms per cohort.
    Cohorts with fewer than LEAST_VALUES labels are neither reference nor compared."""

    def __init__(self, binary: bool, windows: int, false_alarms: float) -> None:
        self._binary = binary
        self._windows = windows
        self._alpha = min(0.5, false_alarms / (1 if binary else len(STATISTICS)))
        self._first: list[Histogram] = []
        self._reference: Reference | None = None
        self._alerts = Alerts()

    def take(self, labels: Histogram) -> Iterator[LabelTransition]:
        """Take the labels of a closed cohort; return the alerts that open or close."""
        if labels.total < LEAST_VALUES:
            return
        if self._reference is None:
            self._first.append(labels)
            if len(self._first) == self._windows:
                make = label_rate.rate_reference if self._binary else reference_of
                self._reference, self._first = make(self._first), []
        else:
            for finding in self._findings(self._reference, labels):
                state = self._alerts.judge(SLOT, finding)
                if state is not None:
                    alert = None if state == "open" else self._alerts.closed(SLOT, finding)
                    yield LabelTransition(finding, alert, self._reference)

    def _findings(self, reference: Reference, labels: Histogram) -> Sequence[DriftFinding]:
        if not self._binary:
            return compare(reference, labels, self._alpha)
        found = label_rate.compare_rates(reference, labels, self._alpha)
        return [] if found is None else [found]

    def opened(self, finding: DriftFinding, alert_id: str) -> Open:
        """Add the alert that a finding opened, under the id of its record."""
        critical = label_rate.CRITICAL if self._binary else STATISTICS[finding.statistic].critical
        return self._alerts.opened(SLOT, finding, alert_id, critical)

    def pack(self) -> list[Any]:
        """Return the whole state; equal for equal labels."""
        reference = self._reference
        told = None if reference is None else [reference.histogram.pack(), reference.design]
        return [[window.pack() for window in self._first], told, self._alerts.pack()]

    def unpack(self, state: Sequence[Any]) -> None:
        """Restore the state that `pack` returned."""
        first, told, alerts = state
        self._first = [Histogram.unpack(window) for window in first]
        self._reference = None if told is None else Reference(Histogram.unpack(told[0]), told[1])
        self._alerts.unpack(alerts)
