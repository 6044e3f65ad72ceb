"""The work on an event in every baseline, without I/O: decode, update, ask both models, learn, encode.

Every tenth event of a partition is an example for both models. It labels the question of the customer's event before
it: the vector is that of the earlier event, the label is what this event shows about the day after it. "silence" is
true if this event came more than a day later, "top_up" if it is a top-up within a day. A top-up behind another event
is missed, which makes the label a cheap substitute for Tidecast's: no open questions, no timers, as in a small loop.
A new customer has an empty vector and was silent. So a tenth of the events are learnt.

The baselines do less than Tidecast: no checks, no duplicates, no late events, no snapshots of the models, which are
lost with the process."""

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
    """The job of one process. Others store the customers."""

    def __init__(self, topic: str, prediction_id: int) -> None:
        """`topic`: the topic of the events. `prediction_id`: schema id of predictions in the registry."""
        self._topic = topic
        self._header = HEADER.pack(0, prediction_id)
        # without logical types: nothing here needs a datetime per event
        self._event = parse_schema(plain(EVENT_SCHEMA))
        self._prediction = parse_schema(plain(PREDICTION_SCHEMA))
        self._models = {
            target: preprocessing.StandardScaler() | linear_model.LogisticRegression() for target in TARGETS
        }
        self.learnt = 0
        """Examples learnt by each model."""

    def decode(self, value: bytes) -> dict[str, Any]:
        """Decode an event from registry-framed Avro."""
        event: dict[str, Any] = schemaless_reader(BytesIO(value[HEADER.size :]), self._event, None)
        return event

    def answer(self, customer: CustomerTiles, event: dict[str, Any], partition: int, offset: int) -> list[bytes]:
        """Update the customer; returns the encoded predictions for the event at this position."""
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
    """Return the labels that an event gives to the question of the customer's event before it."""
    silent = event["occurred_at"] - customer.clock > DAY_MS
    return {"top_up": event["type"] == "topup" and not silent, "silence": silent}


def tune_garbage_collector() -> None:
    """Collect less often, and never the objects made at the start: each collection would walk through all customers.

    No documentation advises this, but a profile shows it. Without it all baselines would be slower."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 50, 1000)
