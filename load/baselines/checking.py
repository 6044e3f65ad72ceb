"""The check of a run: its figures count only if every event was answered once per target, with the right features."""

from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from io import BytesIO
from math import isclose, isnan, nan

from fastavro import parse_schema, schemaless_reader

from load.baselines.features import NAMES, MemoryCustomer, features, update
from load.baselines.job import LEARN_EVERY, PREDICTION_SCHEMA, TARGETS
from load.baselines.publishing import backlog
from load.wire import HEADER, plain

Position = tuple[int, int]
"""Partition and offset of an event."""


class BaselineAnswers:
    """The predictions of a run, by customer and position."""

    def __init__(self, values: Iterable[bytes]) -> None:
        """Read the predictions of these values. Raises ValueError when one of them occurs twice."""
        schema = parse_schema(plain(PREDICTION_SCHEMA))
        self._vectors: dict[str, dict[Position, dict[str, array[float]]]] = defaultdict(lambda: defaultdict(dict))
        self.learnt = 0
        """Examples learnt, by the latest version that answered."""
        for value in values:
            record = schemaless_reader(BytesIO(value[HEADER.size :]), schema, None)
            position = record["source"]["partition"], record["source"]["offset"]
            vectors = self._vectors[record["customer_id"]][position]
            if record["target"] in vectors:
                raise ValueError(f"{record['target']} answered twice for the event at {position}")
            vectors[record["target"]] = array("d", record["vector"])
            self.learnt = max(self.learnt, int(record["version"].partition("@")[2]))

    def in_order(self) -> dict[str, Iterator[tuple[Position, dict[str, "array[float]"]]]]:
        """Return, per customer, positions and vectors of its events, in the order of its partition."""
        return {customer: iter(sorted(answers.items())) for customer, answers in self._vectors.items()}

    def expected_examples(self) -> int:
        """Return the number of answered events that are also examples."""
        return sum(
            offset % LEARN_EVERY == LEARN_EVERY - 1 for answers in self._vectors.values() for _, offset in answers
        )


def check(values: Sequence[bytes], events: int) -> None:
    """Compare predictions with the backlog of `events` events. Raises ValueError when they differ."""
    if len(values) != len(TARGETS) * events:
        raise ValueError(f"{len(values)} predictions for {events} events")
    answers = BaselineAnswers(values)
    answered = answers.in_order()
    customers: dict[str, MemoryCustomer] = defaultdict(MemoryCustomer)
    for record in backlog(events):
        customer = customers[record["customer_id"]]
        position, found = next(answered.get(record["customer_id"], iter(())), (None, {}))
        update(customer, record["type"], record["occurred_at"], record["amount"])
        known = features(customer)
        vector = [known.get(name, nan) for name in NAMES]
        if set(found) != set(TARGETS) or not all(same(vector, each) for each in found.values()):
            which = f"event {record['event_id']} of {record['customer_id']} (at {position})"
            raise ValueError(f"{which}: expected {vector}, found {found}")
    if answers.learnt != answers.expected_examples():
        raise ValueError(f"{answers.learnt} examples learnt instead of {answers.expected_examples()}")


def same(one: Sequence[float], other: Sequence[float]) -> bool:
    """Return whether two vectors are equal up to the rounding of their sums. NaN equals NaN."""
    return len(one) == len(other) and all(
        a == b or isclose(a, b, rel_tol=1e-9, abs_tol=1e-9) or (isnan(a) and isnan(b))
        for a, b in zip(one, other, strict=True)
    )
