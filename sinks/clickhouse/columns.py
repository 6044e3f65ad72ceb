"""The columns of the history's tables, in the order of the rows."""

COORDINATE = ("source_epoch", "source_partition", "source_offset", "source_ordinal")
PLACED = ("log_partition", "log_offset", "recorded_at")
ANSWERS = ("arms", "versions", "answers", "fallbacks")

COLUMNS: dict[str, tuple[str, ...]] = {
    "records_raw": (
        *("log_epoch", "log_partition", "log_offset", "kind", "record", "identity", "occurred_at", "recorded_at"),
    ),
    "events_by_kind_raw": (
        *("event_id", "event_type", "use_case", "customer_id", "occurred_at", "source", "numbers", "texts"),
        *("log_epoch", *PLACED),
    ),
    "outcomes_raw": (
        *("outcome_id", "customer_id", "target", "prediction_id", "occurred_at", "value", "source"),
        *("log_epoch", *PLACED),
    ),
    "controls_raw": (
        *("topic", "record", "target", "arm", "version", "command", "examples_offset", "deployment_id", "body"),
        *("log_epoch", *PLACED),
    ),
    "predictions_raw": (
        *("prediction_id", "target", "customer_id", "asked_at", "asked_by", "value", "champion", *ANSWERS),
        *("vector", "reason_features", "reason_values", "observed", "horizon_end", "deployment_id", *COORDINATE),
        *("log_partition", "log_offset", "served_at"),
    ),
    "labelled_examples_raw": (
        *("example_id", "prediction_id", "target", "customer_id", "asked_at", *ANSWERS, "vector", "label"),
        *("outcome_at", "settled_by", "deployment_id", "previous", *COORDINATE, *PLACED),
    ),
    "progress_raw": (*("topic", "source_partition", "watermark", "tick", "opened", "settled", "log_epoch", *PLACED),),
    "model_metrics_raw": (
        *("metric_id", "target", "arm", "role", "span", "count", "examples", "values", "matured", "until", "since"),
        *(*COORDINATE, *PLACED),
    ),
    "drift_alerts_raw": (
        *("alert_id", "state", "kind", "target", "arm", "feature", "statistic", "value", "threshold", "severity"),
        *("window_from", "window_to", "evidence", "message", "source_topic", *COORDINATE, *PLACED),
    ),
    "feature_profiles_raw": (
        *("profile_id", "name", "kind", "partition", "reference", "window_from", "window_to", "watermark"),
        *("total", "missing", "sum", "buckets", "counts", "psi", "ks", "source_epoch", *PLACED),
    ),
    "late_events_raw": (
        *("event_type", "event_id", "customer_id", "occurred_at", "watermark", "value"),
        *("source_topic", *COORDINATE, *PLACED),
    ),
    "dead_letters_raw": (*("reason", "detail", "key", "value", "sent_at", "source_topic", *COORDINATE, *PLACED),),
}
"""Columns of each table, in the order of its rows. The order of the tables is the order of the inserts."""


def view_of(table: str) -> str:
    """Return the view that shows a table's rows, each once."""
    return "events" if table == "events_by_kind_raw" else table.removesuffix("_raw")
