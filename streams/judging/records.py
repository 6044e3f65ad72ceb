"""The records that judging makes: metrics, and alerts on losses and labels."""

from collections.abc import Mapping, Sequence

from schemas.records import DriftAlertRecord, ModelMetricRecord
from streams.drift.loss import COOLDOWN, AlertTransition
from streams.drift.open_alerts import Open
from streams.drift.sketch import Histogram
from streams.drift.statistic import DriftFinding, Reference
from streams.identity import Coordinate
from streams.judging.state import TargetMetricsState
from streams.models.arms import Arm


def metric_record(
    judged: TargetMetricsState,
    arm: Arm,
    span: str,
    count: int,
    values: Mapping[str, float],
    times: tuple[int | None, int],
    source: Coordinate,
) -> ModelMetricRecord:
    """Return the record tidecast.ModelMetric. times: (since, until) in ms of event time."""
    return {
        "metric_id": source.id,
        "target": judged.target.name,
        "arm": arm.name,
        "role": arm.role,
        "span": span,
        "count": count,
        "examples": judged.examples,
        "values": dict(values),
        "matured": judged.matured,
        "until": times[1],
        "since": times[0],
        "source": source.as_record(),
    }


def loss_alert(
    judged: TargetMetricsState, arm: Arm, statistic: str, step: AlertTransition, alert_id: str, source: Coordinate
) -> DriftAlertRecord:
    """Return the record of an alert on an arm's loss."""
    times: Sequence[int] = list(judged.times)[-step.width :]
    return {
        "alert_id": alert_id,
        "state": "open" if step.opens else "closed",
        "kind": "loss",
        "target": judged.target.name,
        "arm": arm.name,
        "feature": None,
        "statistic": statistic,
        "value": step.value,
        "threshold": step.threshold,
        "severity": "critical" if arm.role == "champion" else "warning",
        "window_from": min(times),
        "window_to": max(times) + 1,
        "evidence": {**step.evidence, "matured": judged.matured},
        "message": _loss_message(judged.target.name, arm.name, step),
        "source": source.as_record(),
    }


def _loss_message(target: str, arm: str, step: AlertTransition) -> str:
    """Return one sentence for a person."""
    before, after = step.evidence["mean_before"], step.evidence["mean_after"]
    errors = f"{arm}'s errors on {target}"
    if step.how == "rise":
        return f"{errors} rose about {step.width} examples ago: mean loss {before:.3f} before, {after:.3f} since."
    if step.how == "fall":
        return f"{errors} fell again: mean loss {after:.3f}, {before:.3f} before the alert."
    told = f"and are no worse than a baseline's: mean loss {after:.3f}, {before:.3f} before the alert"
    return f"{errors} have not risen further for {COOLDOWN} examples, {told}."


def label_alert(
    target: str,
    opens: bool,
    alert: Open,
    finding: DriftFinding,
    compared: tuple[Reference, Histogram],
    span: tuple[int, int],
    source: Coordinate,
) -> DriftAlertRecord:
    """Return the record of an alert on a target's labels. span: of the times of asking, ms of event time."""
    assert finding.threshold is not None  # untested findings open and close nothing
    reference, current = compared
    past, now = reference.histogram.mean or 0.0, current.mean or 0.0
    what = "differ from" if opens else "are again like"
    return {
        "alert_id": alert.alert_id,
        "state": "open" if opens else "closed",
        "kind": "label",
        "target": target,
        "arm": None,
        "feature": None,
        "statistic": finding.statistic,
        "value": finding.value,
        "threshold": finding.threshold,
        "severity": alert.severity,
        "window_from": span[0],
        "window_to": span[1],
        "evidence": {
            "count": float(current.total),
            "count_reference": float(reference.histogram.total),
            "mean": now,
            "mean_reference": past,
            "design_effect": reference.design,
        },
        "message": (
            f"The labels of {target} {what} the reference: {finding.statistic} {finding.value:.3f} "
            f"(threshold {finding.threshold:.3f}); mean {now:.4g} against {past:.4g}."
        ),
        "source": source.as_record(),
    }
