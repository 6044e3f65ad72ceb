"""A generated log of every topic. Every record type occurs, and some records are repeated."""

import random
from collections import Counter
from collections.abc import Mapping
from typing import Any

from schemas import topics
from schemas.catalog import load_schemas
from streams.avro.codec import Codec, MemoryRegistry
from streams.log import Record, TopicPartition

EPOCH = 1_700_000_000
PARTITIONS = 2
MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
START = 1_711_756_800_000  # 2024-03-30: the log crosses the end of a month
ARMS = (("logistic", "champion"), ("prior", "naive"))
FEATURES = ("calls_7d", "spend_30d", "days_since_call")

CALL: dict[str, Any] = {
    "type": "record",
    "name": "Call",
    "namespace": "telecom",
    "fields": [
        {"name": "event_id", "type": "string"},
        {"name": "customer_id", "type": "string"},
        {"name": "occurred_at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "source", "type": "string", "default": ""},
        {"name": "seconds", "type": "double"},
        {"name": "kind", "type": {"type": "enum", "name": "Kind", "symbols": ["VOICE", "VIDEO"]}},
        {"name": "props", "type": {"type": "map", "values": "double"}, "default": {}},
        {"name": "note", "type": ["null", "string"], "default": None},
    ],
}
REFUND: dict[str, Any] = {
    "type": "record",
    "name": "Refund",
    "namespace": "telecom",
    "fields": [
        field for field in CALL["fields"] if field["name"] in ("event_id", "customer_id", "occurred_at", "seconds")
    ],
}
STRANGER: dict[str, Any] = {
    "type": "record",
    "name": "Stranger",
    "namespace": "elsewhere",
    "fields": [{"name": "x", "type": "int"}],
}
SCHEMAS = {**load_schemas(), "telecom.Call": CALL, "telecom.Refund": REFUND, "elsewhere.Stranger": STRANGER}


def new_codec() -> Codec:
    """Return a codec whose registry holds all schemas under fixed ids."""
    registry = MemoryRegistry()
    for name, schema in SCHEMAS.items():
        registry.id_of(name, schema)
    return Codec(registry, SCHEMAS)


class MadeUpLog:
    """A generated log. `logs` holds the records by partition. `expected` holds the counts that the history must show.

    `now` (ms) is roughly the time at which the records were written."""

    def __init__(self, now: int, events: int = 600, seed: int = 1) -> None:
        self.logs: dict[TopicPartition, list[Record]] = {}
        self.expected: Counter[str] = Counter()
        self._codec = new_codec()
        self._random = random.Random(seed)
        self._now = now - HOUR
        for partition in range(PARTITIONS):
            self.put(topics.CUSTOMER_EVENTS, partition, "tidecast.Deployment", deployment())
            self.put(topics.LABELLED_EXAMPLES, partition, "tidecast.Deployment", deployment())
            self.expected["controls"] += 2
        for number in range(events):
            self._step(number, START + number * 3 * DAY // events)
        self._metrics_and_drift()

    def put(self, topic: str, partition: int, name: str, record: Mapping[str, Any]) -> int:
        """Encode and append a record. Return its offset."""
        return self.put_bytes(topic, partition, self._codec.encode(name, record))

    def put_bytes(self, topic: str, partition: int, value: bytes | None) -> int:
        log = self.logs.setdefault(TopicPartition(topic, partition), [])
        self._now += self._random.randrange(3)
        offset = log[-1].offset + 1 + (self._random.random() < 0.02) if log else 0  # gaps, as after aborts
        log.append(Record(offset, self._now, None, value))
        return offset

    def _step(self, number: int, at: int) -> None:
        customer = f"c{self._random.randrange(40)}"
        partition = int(customer[1:]) % PARTITIONS
        call = {
            "event_id": f"e{number}",
            "customer_id": customer,
            "occurred_at": at,
            "source": "switch",
            "seconds": self._random.random() * 100,
            "kind": self._random.choice(("VOICE", "VIDEO")),
            "props": {"cell": 1.0},
            "note": None if number % 3 else "é\n",
        }
        offset = self.put(topics.CUSTOMER_EVENTS, partition, "telecom.Call", call)
        self.expected["published"] += 1
        self.expected["events"] += 1
        if number % 37 == 5:  # published again
            self.put(topics.CUSTOMER_EVENTS, partition, "telecom.Call", call)
            self.expected["published"] += 1
            self.expected["duplicate"] += 1
        if number % 31 == 11:
            self._same_id(partition, number, call)
        if number % 41 == 7:
            self._late(partition, offset, call)
        elif number % 2:
            self._question(partition, offset, customer, at, twice=number % 29 == 3)
        if number % 43 == 1:
            self._odd(partition, number, customer, at)
        if number % 50 == 49:
            self._time_passes(at)

    def _same_id(self, partition: int, number: int, call: Mapping[str, Any]) -> None:
        """An event of another kind, and the same event with other contents, which scoring sets aside."""
        refund = {name: call[name] for name in ("event_id", "customer_id", "occurred_at")}
        self.put(topics.CUSTOMER_EVENTS, partition, "telecom.Refund", {**refund, "seconds": call["seconds"]})
        self.expected["events"] += 1
        moved = {"occurred_at": call["occurred_at"] + DAY} if number % 2 else {}
        value = self._codec.encode("telecom.Call", {**call, **moved, "seconds": -1.0})
        letter = {
            "reason": "conflicting_id",
            "detail": "made up",
            "key": call["customer_id"].encode(),
            "value": value,
            "timestamp": self._now,
            "source": source(partition, self.put_bytes(topics.CUSTOMER_EVENTS, partition, value), 0),
        }
        self.put(topics.DEAD_LETTERS, partition, "tidecast.DeadLetter", letter)
        self.expected["published"] += 2
        self.expected["dead"] += 1
        self.expected["conflicts"] += 1

    def _late(self, partition: int, offset: int, call: Mapping[str, Any]) -> None:
        late = {name: call[name] for name in ("event_id", "customer_id", "occurred_at")}
        late |= {"event_type": "Call", "watermark": call["occurred_at"] + 1, "value": b"\x00\xff"}
        late["source"] = source(partition, offset, 0)
        for _ in range(2):  # repeated after a crash
            self.put(topics.LATE_EVENTS, partition, "tidecast.LateEvent", late)
        self.expected["late"] += 1

    def _question(self, partition: int, offset: int, customer: str, at: int, twice: bool) -> None:
        for ordinal, target in enumerate(("churn", "spend")):
            name = source(partition, offset, ordinal)
            id = f"{EPOCH}.{partition}.{offset}.{ordinal}"
            scale = 1.0 if target == "churn" else 40.0
            answers = [
                {"arm": arm, "version": f"{target}/{arm}.1@{at % 7}", "value": self._random.random() * scale}
                for arm, _ in ARMS
            ]
            prediction = {
                "prediction_id": id,
                "target": target,
                "customer_id": customer,
                "asked_at": at,
                "asked_by": "Call",
                "value": answers[0]["value"],
                "champion": "logistic",
                "answers": answers,
                "vector": [1.0, float("nan"), -2.5],
                "reasons": [{"feature": "calls_7d", "value": -0.5}] if ordinal else [],
                "observed": True,
                "horizon_end": at + DAY if ordinal else None,
                "deployment_id": "d1",
                "source": name,
            }
            for _ in range(1 + twice):
                self.put(topics.PREDICTIONS, partition, "tidecast.Prediction", prediction)
            self.expected["predictions"] += 1
            example = {field: prediction[field] for field in ("target", "customer_id", "asked_at", "answers")}
            example |= {
                "example_id": id,
                "prediction_id": id,
                "vector": prediction["vector"],
                "label": float(self._random.random() < 0.3),
                "outcome_at": at + DAY,
                "settled_by": "absence",
                "deployment_id": "d1",
                "previous": None,
                "source": name,
            }
            self.put(topics.LABELLED_EXAMPLES, ordinal, "tidecast.LabelledExample", example)
            self.expected["labelled_examples"] += 1

    def _odd(self, partition: int, number: int, customer: str, at: int) -> None:
        """Add bytes that are not a record, a record of an unknown type, and an outcome."""
        stranger = self._codec.encode("elsewhere.Stranger", {"x": 1})
        for value in (None, b"rubbish", b"\x00\x00\x00\x7f\xff?", stranger):
            offset = self.put_bytes(topics.CUSTOMER_EVENTS, partition, value)
            letter = {
                "reason": "undecodable" if value is not stranger else "unknown_schema",
                "detail": "made up",
                "key": b"\xfe" if number % 2 else None,
                "value": value,
                "timestamp": self._now,
                "source": source(partition, offset, 0),
            }
            self.put(topics.DEAD_LETTERS, partition, "tidecast.DeadLetter", letter)
            self.expected["published"] += 1
            self.expected["dead"] += 1
        outcome = {
            "outcome_id": f"o{number}",
            "customer_id": customer,
            "target": "churn",
            "occurred_at": at,
            "value": 1.0,
        }
        self.put(topics.CUSTOMER_EVENTS, partition, "tidecast.Outcome", outcome)
        self.expected["published"] += 1
        self.expected["outcomes"] += 1

    def _time_passes(self, at: int) -> None:
        for partition in range(PARTITIONS):
            tick = {"time": at, "writer": "test"}
            offset = self.put(topics.CUSTOMER_EVENTS, partition, "tidecast.Tick", tick)
            self.expected["ticks"] += 1
            progress = {
                "watermark": at - HOUR,
                "tick": at,
                "opened": {"churn": offset},
                "settled": {"churn": 1},
                "source": source(partition, offset, 0),
            }
            self.put(topics.PREDICTIONS, partition, "tidecast.Progress", progress)
            for target in range(2):
                self.put(topics.LABELLED_EXAMPLES, target, "tidecast.Progress", progress)
            switch = {
                "target": "churn",
                "arm": "logistic",
                "version": f"churn/logistic.1@{offset}",
                "command": 0,
                "offset": offset,
                "snapshot": "models/x",
                "digest": b"\x01\x02",
            }
            self.put(topics.CUSTOMER_EVENTS, partition, "tidecast.Switch", switch)
            self.expected["controls"] += 1

    def _metrics_and_drift(self) -> None:
        for number in range(20):
            until = START + number * 3 * HOUR
            for span in ("total", "recent"):
                for arm, role in ARMS:
                    for ordinal, (target, names) in enumerate(METRICS.items()):
                        metric = {
                            "metric_id": f"{EPOCH}.{ordinal}.{number}.{len(span)}{arm}",
                            "target": target,
                            "arm": arm,
                            "role": role,
                            "span": span,
                            "count": 100,
                            "examples": 100 * number,
                            "values": {name: self._random.random() for name in names},
                            "matured": 0.5 if number else float("nan"),
                            "until": until,
                            "source": source(ordinal, number, 0, topics.LABELLED_EXAMPLES),
                        }
                        self.put(topics.MODEL_METRICS, 0, "tidecast.ModelMetric", metric)
                        self.expected["model_metrics"] += 1
        for number in range(6):
            for partition in (0, 1, None):
                self.put(topics.FEATURE_PROFILES, 0, "tidecast.FeatureProfile", self._profile(number, partition))
                self.expected["feature_profiles"] += len(FEATURES) + 1
        for number, states in enumerate((("open",), ("open", "closed"), ("open",))):
            for state in states:
                self.put(topics.DRIFT_ALERTS, 0, "tidecast.DriftAlert", alert(number, state))
                self.expected["drift_alerts"] += 1
            self.expected["open_alerts"] += len(states) == 1

    def _profile(self, number: int, partition: int | None) -> dict[str, Any]:
        merged = partition is None and number > 2
        profiles = [
            {
                "name": name,
                "kind": "answer" if name == "churn" else "feature",
                "histogram": {"buckets": [-1, 3], "counts": [4, 5], "missing": 1, "total": 10, "sum": 7.5},
                "psi": self._random.random() if merged else None,
                "ks": self._random.random() if merged else None,
            }
            for name in (*FEATURES, "churn")
        ]
        return {
            "profile_id": f"predictions.{EPOCH}.{partition}.{number}.0",
            "window_from": START + number * 12 * HOUR,
            "window_to": START + (number + 1) * 12 * HOUR,
            "partition": partition,
            "reference": partition is None and not merged,
            "watermark": START + (number + 1) * 12 * HOUR,
            "profiles": profiles,
            "source": source(partition or 0, number, 0, topics.PREDICTIONS),
        }


METRICS = {"churn": ("log_loss", "roc_auc", "accuracy"), "spend": ("mae", "rmse", "bias")}


def source(partition: int, offset: int, ordinal: int, topic: str = topics.CUSTOMER_EVENTS) -> dict[str, Any]:
    return {"topic": topic, "epoch": EPOCH, "partition": partition, "offset": offset, "ordinal": ordinal}


def alert(number: int, state: str) -> dict[str, Any]:
    return {
        "alert_id": f"predictions.{EPOCH}.0.{number}.1",
        "state": state,
        "kind": "loss" if number == 2 else "feature",
        "target": "churn" if number == 2 else None,
        "arm": "logistic" if number == 2 else None,
        "feature": None if number == 2 else FEATURES[number],
        "statistic": "adwin" if number == 2 else "psi",
        "value": 0.4,
        "threshold": 0.2,
        "severity": "warning",
        "window_from": START + number * HOUR,
        "window_to": START + (number + 12) * HOUR,
        "evidence": {"mean_before": 1.0},
        "message": "It moved.",
        "source": source(0, number, 1, topics.PREDICTIONS),
    }


def deployment() -> dict[str, Any]:
    return {
        "deployment_id": "d1",
        "use_case": "telecom",
        "epoch": EPOCH,
        "definitions": "{}",
        "target_partitions": {"churn": 0, "spend": 1},
        "river_version": "0.26.1",
        "code_version": "0",
        "python_version": "3.11",
        "cpu": "x",
    }
