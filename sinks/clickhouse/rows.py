"""Maps log records to rows. Pure: no client, no clock. The writer inserts them."""

import json
from collections.abc import Callable
from hashlib import blake2b
from typing import Any, NamedTuple

from schemas import records
from schemas.catalog import Decoded, Event
from schemas.topics import (
    CUSTOMER_EVENTS,
    DEAD_LETTERS,
    DRIFT_ALERTS,
    FEATURE_PROFILES,
    LABELLED_EXAMPLES,
    LATE_EVENTS,
    MODEL_METRICS,
    PREDICTIONS,
)

EARLIEST_MS = -2_208_988_800_000  # 1900-01-01
LATEST_MS = 10_413_791_999_999  # 2299-12-31
LAST_RECORDED_MS = 4_102_444_800_000  # 2100-01-01
EXACT_INTEGER = 1 << 53


class RecordPlace(NamedTuple):
    """Where a record lies: logical topic, log epoch, partition, offset. `recorded_at`: Kafka's timestamp, ms."""

    topic: str
    epoch: int
    partition: int
    offset: int
    recorded_at: int

    @property
    def placed(self) -> tuple[int, int, int]:
        """Return the values of the columns PLACED."""
        return (self.partition, self.offset, recorded(self.recorded_at))


Row = tuple[Any, ...]
Rows = list[tuple[str, Row]]
Mapper = Callable[[RecordPlace, str, Decoded], Rows]


def rows_of(place: RecordPlace, name: str, record: Decoded) -> Rows:
    """Return (table, row) pairs of a decoded record called `name`; none where it does not belong to the topic."""
    if place.topic == CUSTOMER_EVENTS:
        return customer_rows(place, name, record)
    mapper = MAPPERS.get((place.topic, name))
    return mapper(place, name, record) if mapper else []


def undecodable_rows(place: RecordPlace) -> Rows:
    """Return the rows of undecodable bytes: the record is counted as published; scoring keeps it as a dead letter."""
    if place.topic != CUSTOMER_EVENTS:
        return []
    return [_counted(place, "undecodable", "", 0, place.recorded_at)]


def moment(ms: int) -> int:
    """Clamp an event time in ms to the years that DateTime64 supports, 1900 to 2299."""
    return EARLIEST_MS if ms < EARLIEST_MS else LATEST_MS if ms > LATEST_MS else ms


def recorded(ms: int) -> int:
    """Clamp a Kafka timestamp in ms to 1970 to 2100, because producers may set it to anything."""
    return 0 if ms < 0 else LAST_RECORDED_MS if ms > LAST_RECORDED_MS else ms


# --- customer-events


def customer_rows(place: RecordPlace, name: str, record: Decoded) -> Rows:
    """Return a row of `records`, and one of the table of its kind."""
    namespace, _, short = name.rpartition(".")
    if name == records.TICK:
        return _tick(place, short, record)
    if name == records.OUTCOME:
        return _outcome(place, short, record)
    if namespace == "tidecast":
        return [_counted(place, "control", short, 0, place.recorded_at), *control_rows(place, name, record)]
    if not _is_event(record):
        return [_counted(place, "unknown", short, 0, place.recorded_at)]
    identity = identity_of(record["customer_id"], record["event_id"])
    counted = _counted(place, "event", short, identity, record["occurred_at"])
    return [counted, ("events_by_kind_raw", _event(place, namespace, short, record))]


def _tick(place: RecordPlace, short: str, record: records.TickRecord) -> Rows:
    return [_counted(place, "tick", short, 0, record["time"])]


def _outcome(place: RecordPlace, short: str, record: records.OutcomeRecord) -> Rows:
    identity = identity_of(record["customer_id"], record["outcome_id"])
    row = (
        *(record["outcome_id"], record["customer_id"], record["target"], record["prediction_id"] or ""),
        *(moment(record["occurred_at"]), record["value"], record["source"], place.epoch, *place.placed),
    )
    return [_counted(place, "outcome", short, identity, record["occurred_at"]), ("outcomes_raw", row)]


def identity_of(customer: str, id: str) -> int:
    """Return 64 bits of BLAKE2b over the customer and the event or outcome id; never 0."""
    text = f"{len(customer)}:{customer}{id}".encode(errors="surrogatepass")
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "big") or 1


def _counted(place: RecordPlace, kind: str, short: str, identity: int, occurred_at: int) -> tuple[str, Row]:
    return "records_raw", (
        *(place.epoch, place.partition, place.offset, kind, short, identity),
        *(moment(occurred_at), recorded(place.recorded_at)),
    )


def _is_event(record: Event) -> bool:
    return (
        isinstance(record.get("event_id"), str)
        and isinstance(record.get("customer_id"), str)
        and isinstance(record.get("occurred_at"), int)
        and isinstance(record.get("source", ""), str)
    )


def _event(place: RecordPlace, use_case: str, short: str, record: Event) -> Row:
    numbers: dict[str, float] = {}
    texts: dict[str, str] = {}
    for field, value in record.items():
        if field not in ("event_id", "customer_id", "occurred_at", "source"):
            _spread(field, value, numbers, texts)
    return (
        *(record["event_id"], short, use_case, record["customer_id"], moment(record["occurred_at"])),
        *(record.get("source", ""), numbers, texts, place.epoch, *place.placed),
    )


def _spread(name: str, value: Any, numbers: dict[str, float], texts: dict[str, str]) -> None:
    """Put a field into one of the two maps; leave null out."""
    if isinstance(value, str):
        texts[name] = value
    elif isinstance(value, (int, float)):
        if isinstance(value, int) and abs(value) > EXACT_INTEGER:
            texts[name] = str(value)
        else:
            numbers[name] = float(value)
    elif isinstance(value, bytes):
        texts[name] = value.hex()
    elif isinstance(value, dict):
        for inner, part in value.items():
            _spread(f"{name}.{inner}", part, numbers, texts)
    elif value is not None:
        texts[name] = _json(value)


def control_rows(place: RecordPlace, name: str, record: Decoded) -> Rows:
    """Return the row of a control record such as a switch or deployment, whatever its fields."""
    row = (
        *(place.topic, name.rpartition(".")[2], str(record.get("target") or ""), str(record.get("arm") or "")),
        *(_switched(record) if name == records.SWITCH else ("", 0, -1)),
        *(str(record.get("deployment_id") or ""), _json(record), place.epoch, *place.placed),
    )
    return [("controls_raw", row)]


def _switched(record: records.SwitchRecord) -> tuple[str, int, int]:
    return (record["version"], record["command"], record["offset"])


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, default=_as_text)


def _as_text(value: Any) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)


# --- what the stages write


def _coordinate(source: records.CoordinateRecord) -> tuple[int, int, int, int]:
    return (source["epoch"], source["partition"], source["offset"], source["ordinal"])


def _answers(answers: list[records.AnswerRecord]) -> tuple[list[Any], ...]:
    return (
        [answer["arm"] for answer in answers],
        [answer["version"] for answer in answers],
        [answer["value"] for answer in answers],
        [answer["fallback"] for answer in answers],
    )


def prediction_rows(place: RecordPlace, name: str, record: records.PredictionRecord) -> Rows:
    """Return one row per question."""
    end = record["horizon_end"]
    reasons = record["reasons"]
    row = (
        *(record["prediction_id"], record["target"], record["customer_id"], moment(record["asked_at"])),
        *(record["asked_by"], record["value"], record["champion"], *_answers(record["answers"]), record["vector"]),
        *([reason["feature"] for reason in reasons], [reason["value"] for reason in reasons]),
        *(record["observed"], None if end is None else moment(end), record["deployment_id"]),
        *(*_coordinate(record["source"]), *place.placed),
    )
    return [("predictions_raw", row)]


def example_rows(place: RecordPlace, name: str, record: records.LabelledExampleRecord) -> Rows:
    """Return one row per labelled example."""
    row = (
        *(record["example_id"], record["prediction_id"], record["target"], record["customer_id"]),
        *(moment(record["asked_at"]), *_answers(record["answers"]), record["vector"], record["label"]),
        *(moment(record["outcome_at"]), record["settled_by"], record["deployment_id"]),
        *(record["previous"] or "", *_coordinate(record["source"]), *place.placed),
    )
    return [("labelled_examples_raw", row)]


def progress_rows(place: RecordPlace, name: str, record: records.ProgressRecord) -> Rows:
    """Return one row, which replaces the previous one of the same source partition."""
    row = (
        *(place.topic, record["source"]["partition"], moment(record["watermark"]), moment(record["tick"])),
        *(record["opened"], record["settled"], place.epoch, *place.placed),
    )
    return [("progress_raw", row)]


def metric_rows(place: RecordPlace, name: str, record: records.ModelMetricRecord) -> Rows:
    """Return one row per metric record."""
    row = (
        *(record["metric_id"], record["target"], record["arm"], record["role"], record["span"]),
        *(record["count"], record["examples"], record["values"], record["matured"], moment(record["until"])),
        None if record["since"] is None else moment(record["since"]),
        *(*_coordinate(record["source"]), *place.placed),
    )
    return [("model_metrics_raw", row)]


def alert_rows(place: RecordPlace, name: str, record: records.DriftAlertRecord) -> Rows:
    """Return one row for the opening and one for the closing of an alert."""
    row = (
        *(record["alert_id"], record["state"], record["kind"]),
        *(record["target"] or "", record["arm"] or "", record["feature"] or ""),
        *(record["statistic"], record["value"], record["threshold"], record["severity"]),
        *(moment(record["window_from"]), moment(record["window_to"]), record["evidence"], record["message"]),
        *(record["source"]["topic"], *_coordinate(record["source"]), *place.placed),
    )
    return [("drift_alerts_raw", row)]


def profile_rows(place: RecordPlace, name: str, record: records.FeatureProfileRecord) -> Rows:
    """Return one row per feature and one per target's answers."""
    window = (moment(record["window_from"]), moment(record["window_to"]), moment(record["watermark"]))
    rows: Rows = []
    for profile in record["profiles"]:
        histogram = profile["histogram"]
        row = (
            *(record["profile_id"], profile["name"], profile["kind"], record["partition"], record["reference"]),
            *(*window, histogram["total"], histogram["missing"], histogram["sum"]),
            *(histogram["buckets"], histogram["counts"], profile["psi"], profile["ks"]),
            *(record["source"]["epoch"], *place.placed),
        )
        rows.append(("feature_profiles_raw", row))
    return rows


def late_rows(place: RecordPlace, name: str, record: records.LateEventRecord) -> Rows:
    """Return one row per late event."""
    row = (
        *(record["event_type"], record["event_id"], record["customer_id"], moment(record["occurred_at"])),
        *(moment(record["watermark"]), record["value"], record["source"]["topic"]),
        *(*_coordinate(record["source"]), *place.placed),
    )
    return [("late_events_raw", row)]


def dead_rows(place: RecordPlace, name: str, record: records.DeadLetterRecord) -> Rows:
    """Return one row per dead letter."""
    row = (
        *(record["reason"], record["detail"], record["key"], record["value"], recorded(record["timestamp"])),
        *(record["source"]["topic"], *_coordinate(record["source"]), *place.placed),
    )
    return [("dead_letters_raw", row)]


MAPPERS: dict[tuple[str, str], Mapper] = {
    (PREDICTIONS, records.PREDICTION): prediction_rows,
    (PREDICTIONS, records.PROGRESS): progress_rows,
    (LABELLED_EXAMPLES, records.LABELLED_EXAMPLE): example_rows,
    (LABELLED_EXAMPLES, records.PROGRESS): progress_rows,
    (LABELLED_EXAMPLES, records.DEPLOYMENT): control_rows,
    (MODEL_METRICS, records.MODEL_METRIC): metric_rows,
    (DRIFT_ALERTS, records.DRIFT_ALERT): alert_rows,
    (FEATURE_PROFILES, records.FEATURE_PROFILE): profile_rows,
    (LATE_EVENTS, records.LATE_EVENT): late_rows,
    (DEAD_LETTERS, records.DEAD_LETTER): dead_rows,
}
"""(topic, full name) → function from a record of a stage's topic to rows."""
