"""What happens to an event in every baseline, without I/O: decode, update, ask both models, learn, encode.

Learning: the 10th event of a partition, the 20th and so on teach both models. The example is the question that the
customer's event before it asked: the vector of then, and what this event tells of the day after it. "silence": it came
more than a day later. "top_up": it is a top-up and came within a day; a top-up behind another event is missed, which
makes the label a cheap stand-in for Tidecast's (no open questions to keep, no timers), as one would write it in a small
loop. Someone new has an empty vector and was silent. So as many examples are learnt as a tenth of the events.

Left out, in the baselines' favour: checks, duplicates, lateness, snapshots of the models (they die with the process).
"""

import gc
import json
from io import BytesIO
from math import nan
from pathlib import Path
from typing import Any

from fastavro import parse_schema, schemaless_reader, schemaless_writer
from river import linear_model, preprocessing

from load.baselines.features import NAMES, CustomerTiles, features, update
from load.reference.events import DAY_MS
from load.wire import HEADER, plain

HERE = Path(__file__).parent
EVENT_SCHEMA: dict[str, Any] = json.loads(
    (HERE.parent / "reference" / "use_case" / "schemas" / "activity.avsc").read_text()
)
PREDICTION_SCHEMA: dict[str, Any] = json.loads((HERE / "prediction.avsc").read_text())
TARGETS = ("top_up", "silence")
LEARN_EVERY = 10


class BaselineJob:
    """The job of one process; the customers are kept by others."""

    def __init__(self, topic: str, prediction_id: int) -> None:
        """`topic`: of the events. `prediction_id`: of the prediction's schema in the registry."""
        self._topic = topic
        self._header = HEADER.pack(0, prediction_id)
        # without logical types: a datetime per event costs more than it tells
        self._event = parse_schema(plain(EVENT_SCHEMA))
        self._prediction = parse_schema(plain(PREDICTION_SCHEMA))
        self._models = {
            target: preprocessing.StandardScaler() | linear_model.LogisticRegression() for target in TARGETS
        }
        self.learnt = 0
        """Examples learnt by each model."""

    def decode(self, value: bytes) -> dict[str, Any]:
        """An event from registry-framed Avro."""
        event: dict[str, Any] = schemaless_reader(BytesIO(value[HEADER.size :]), self._event, None)
        return event

    def answer(self, customer: CustomerTiles, event: dict[str, Any], partition: int, offset: int) -> list[bytes]:
        """Update the customer; the predictions for the event at this place, encoded."""
        if offset % LEARN_EVERY == LEARN_EVERY - 1:
            self._learn(features(customer), labels(customer, event))
        update(customer, event["type"], event["occurred_at"], event["amount"])
        known = features(customer)
        prediction = {
            "customer_id": event["customer_id"],
            "asked_at": customer.clock,
            "vector": [known.get(name, nan) for name in NAMES],
            "source": {"topic": self._topic, "partition": partition, "offset": offset},
        }
        return [self._encode(target, model, known, prediction) for target, model in self._models.items()]

    def _encode(self, target: str, model: Any, known: dict[str, float], prediction: dict[str, Any]) -> bytes:
        prediction["target"] = target
        prediction["version"] = f"{target}@{self.learnt}"
        prediction["value"] = model.predict_proba_one(known)[True]
        out = BytesIO()
        out.write(self._header)
        schemaless_writer(out, self._prediction, prediction)
        return out.getvalue()

    def _learn(self, known: dict[str, float], outcomes: dict[str, bool]) -> None:
        for target, model in self._models.items():
            model.learn_one(known, outcomes[target])
        self.learnt += 1


def labels(customer: CustomerTiles, event: dict[str, Any]) -> dict[str, bool]:
    """What an event tells of the question that the customer's event before it asked."""
    silent = event["occurred_at"] - customer.clock > DAY_MS
    return {"top_up": event["type"] == "topup" and not silent, "silence": silent}


def tune_garbage_collector() -> None:
    """Ask it less often, and never about what was made at the start: it would walk through all customers again and
    again. No documentation says so, but whoever profiles finds it; without it all baselines would be slower."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 50, 1000)
