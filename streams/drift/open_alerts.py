"""Open alerts: what the findings of windows do to them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from streams.drift.statistic import DriftFinding

QUIET_WINDOWS = 2
"""Tested windows in a row without drift after which an alert closes."""


@dataclass(slots=True)
class Open:
    """An open alert. `quiet`: windows in a row without drift."""

    alert_id: str
    severity: str
    quiet: int = 0


class Alerts:
    """The open alerts by (slot, statistic)."""

    def __init__(self) -> None:
        self._open: dict[tuple[int, str], Open] = {}

    def judge(self, slot: int, finding: DriftFinding) -> str | None:
        """Return what a finding does to its alert: "open", "closed" or None. Untested findings change nothing."""
        alert = self._open.get((slot, finding.statistic))
        if finding.threshold is None or (alert is None and not finding.drifted):
            return None
        if alert is None:
            return "open"
        alert.quiet = 0 if finding.drifted else alert.quiet + 1
        return "closed" if alert.quiet >= QUIET_WINDOWS else None

    def opened(self, slot: int, finding: DriftFinding, alert_id: str, critical: float) -> Open:
        """Add an alert that was opened; `critical`: the value from which on it is critical."""
        severity = "critical" if finding.value >= critical else "warning"
        alert = self._open[slot, finding.statistic] = Open(alert_id, severity)
        return alert

    def closed(self, slot: int, finding: DriftFinding) -> Open:
        """Remove an alert that was closed."""
        return self._open.pop((slot, finding.statistic))

    def pack(self) -> list[Any]:
        """Return a list for msgpack; equal for equal contents."""
        return [[*key, alert.alert_id, alert.severity, alert.quiet] for key, alert in sorted(self._open.items())]

    def unpack(self, packed: Sequence[Any]) -> None:
        """Restore what `pack` returned."""
        self._open = {(slot, statistic): Open(*rest) for slot, statistic, *rest in packed}
