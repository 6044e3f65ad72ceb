"""The drift alerts of monitoring, as records. Each opens once and closes once."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from schemas.records import CoordinateRecord, DriftAlertRecord
from streams.drift.open_alerts import Open
from streams.drift.sketch import Histogram
from streams.drift.statistic import DriftFinding, Reference


class Subject(NamedTuple):
    """The subject of a finding. `kind` is feature or answer."""

    kind: str
    name: str

    @property
    def words(self) -> str:
        """Return the subject's name in a sentence."""
        return f"Feature {self.name}" if self.kind == "feature" else f"The answers of {self.name}"


def alert_record(
    subject: Subject,
    state: str,
    alert: Open,
    finding: DriftFinding,
    window: tuple[int, int],
    evidence: Mapping[str, float],
    source: CoordinateRecord,
) -> DriftAlertRecord:
    """Return the record tidecast.DriftAlert. The window is (from, to) in ms of event time."""
    assert finding.threshold is not None  # untested findings open and close nothing
    of_feature = subject.kind == "feature"
    return {
        "alert_id": alert.alert_id,
        "state": state,
        "kind": subject.kind,
        "target": None if of_feature else subject.name,
        "arm": None,
        "feature": subject.name if of_feature else None,
        "statistic": finding.statistic,
        "value": finding.value,
        "threshold": finding.threshold,
        "severity": alert.severity,
        "window_from": window[0],
        "window_to": window[1],
        "evidence": dict(evidence),
        "message": _message(subject, state, finding, window, evidence),
        "source": source,
    }


def evidence_of(reference: Reference, current: Histogram) -> dict[str, float]:
    """Return the numbers behind a finding; means only where there are known values."""
    past = reference.histogram
    numbers = {
        "count": float(current.total),
        "count_reference": float(past.total),
        "mean": current.mean,
        "mean_reference": past.mean,
        "missing_rate": current.missing_rate,
        "missing_rate_reference": past.missing_rate,
        "design_effect": reference.design,
    }
    return {name: number for name, number in numbers.items() if number is not None}


def _message(
    subject: Subject, state: str, finding: DriftFinding, window: tuple[int, int], evidence: Mapping[str, float]
) -> str:
    what = "differs from" if state == "open" else "is again like"
    if subject.kind == "answer":
        what = what.replace("differs", "differ").replace("is again", "are again")
    change = _change(evidence)
    return (
        f"{subject.words} {what} the reference: {finding.statistic.upper()} {finding.value:.3f} "
        f"(threshold {finding.threshold:.3f}) from {_time(window[0])} to {_time(window[1])}{change}."
    )


def _change(evidence: Mapping[str, float]) -> str:
    text = ""
    if "mean" in evidence and "mean_reference" in evidence:
        text += f"; mean {evidence['mean']:.4g} against {evidence['mean_reference']:.4g}"
    if evidence["missing_rate"] or evidence["missing_rate_reference"]:
        text += f"; missing {evidence['missing_rate']:.1%} against {evidence['missing_rate_reference']:.1%}"
    return text


def _time(ms: int) -> str:
    """Format a time to the minute in UTC; beyond the calendar in plain ms."""
    try:
        return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")
    except (ValueError, OverflowError, OSError):
        return f"{ms} ms"
