"""Formats records, times and numbers for people."""

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from math import isfinite
from typing import Any

from schemas import records
from schemas.catalog import Decoded

LONGEST = 60
"""The maximum number of characters of a value in a line."""
HIDDEN = frozenset(
    {"customer_id", "occurred_at", "event_id", "source", "signature", "vector", "digest", "deployment_id"}
)
"""Fields that stand elsewhere in the line, or are of no use to a human reader."""


def moment(time_ms: int | None) -> str:
    """Format an event time to the second; a year that datetime does not support stays in ms."""
    if time_ms is None:
        return "-"
    try:
        return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
    except (ValueError, OverflowError, OSError):
        return f"{time_ms} ms"


def span(seconds: float) -> str:
    """Format a duration in its two largest units."""
    for unit, name, rest, rest_name in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if seconds >= unit:
            return f"{int(seconds // unit)} {name} {int(seconds % unit // rest)} {rest_name}"
    return f"{seconds:.1f} s"


def number(value: float) -> str:
    """Format a number with up to four significant digits; NaN is `unknown`."""
    if not isfinite(value):
        return "unknown"
    return f"{value:.4g}" if abs(value) < 10_000 else f"{value:,.0f}"


def line(name: str, record: Decoded) -> str:
    """Format a record's content, without its place, in one line."""
    short = name.rsplit(".", 1)[-1]
    special = _LINES.get(name)
    return printable(f"{short:<11} {special(record) if special else _fields(record)}")


def printable(text: str) -> str:
    """Return a text of a stranger in one line, with line breaks and terminal escapes written as Python does."""
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in text)


def as_json(record: Any) -> str:
    """Format a record, or a part of one, as strict JSON in printable signs: bytes as hex, NaN and infinity as null."""
    text = json.dumps(_plain(record), ensure_ascii=False, separators=(",", ":"))
    if text.isprintable():
        return text
    # JSON itself lets some controls of terminals pass, such as U+009B
    return "".join(sign if sign.isprintable() else json.dumps(sign)[1:-1] for sign in text)


def reasons(contributions: Iterable[records.ContributionRecord]) -> str:
    """Format reasons such as `calls_trend −0.61, age +0.20`."""
    return ", ".join(f"{reason['feature']} {reason['value']:+.2f}" for reason in contributions)


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not isfinite(value):
        return None
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value


def _fields(record: Decoded) -> str:
    parts = []
    if record.get("customer_id"):
        parts.append(str(record["customer_id"]))
    if isinstance(record.get("occurred_at"), int):
        parts.append(moment(record["occurred_at"]))
    parts += [f"{key}={_short(value)}" for key, value in record.items() if key not in HIDDEN and value is not None]
    return " ".join(parts)


def _short(value: Any) -> str:
    text = as_json(value) if isinstance(value, Mapping | list) else str(value)
    if isinstance(value, float):
        text = number(value)
    elif isinstance(value, bytes):
        text = f"{len(value)} bytes"
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _prediction(record: records.PredictionRecord) -> str:
    others = ", ".join(f"{answer['arm']} {number(answer['value'])}" for answer in record["answers"])
    why = f"; why: {reasons(record['reasons'])}" if record["reasons"] else ""
    asked = f"{moment(record['asked_at'])} by {record['asked_by']}"
    return f"{record['target']} of {record['customer_id']} = {number(record['value'])} asked {asked} ({others}){why}"


def _example(record: records.LabelledExampleRecord) -> str:
    answers = ", ".join(f"{answer['arm']} {number(answer['value'])}" for answer in record["answers"])
    return (
        f"{record['target']} of {record['customer_id']} was {number(record['label'])} by {record['settled_by']} "
        f"{moment(record['outcome_at'])}, asked {moment(record['asked_at'])} ({answers})"
    )


def _metric(record: records.ModelMetricRecord) -> str:
    values = " ".join(f"{key}={number(value)}" for key, value in sorted(record["values"].items()))
    return f"{record['target']}/{record['arm']} {record['span']} of {record['count']}: {values}"


def _alert(record: records.DriftAlertRecord) -> str:
    return f"{record['state']} {record['severity']} {record['kind']}: {record['message']}"


def _tick(record: records.TickRecord) -> str:
    return f"{moment(record['time'])} by {record['writer']}"


def _pause(record: records.PauseRecord) -> str:
    what = "time stands still" if record["paused"] else "time goes on"
    return f"{what} by {record['writer']}" + (f": {record['reason']}" if record["reason"] else "")


def _switch(record: records.SwitchRecord) -> str:
    return f"{record['target']}/{record['arm']} is answered by {record['version']}"


_LINES: dict[str, Callable[[Decoded], str]] = {
    records.PREDICTION: _prediction,
    records.LABELLED_EXAMPLE: _example,
    records.MODEL_METRIC: _metric,
    records.DRIFT_ALERT: _alert,
    records.TICK: _tick,
    records.PAUSE: _pause,
    records.SWITCH: _switch,
}
