"""A figure counts only if the answers are right: every event answered once for each target, with the right features."""

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

Place = tuple[int, int]
"""(partition, offset)"""


class BaselineAnswers:
    """Predictions by customer and place."""

    def __init__(self, values: Iterable[bytes]) -> None:
        """ValueError when one of them was given twice."""
        schema = parse_schema(plain(PREDICTION_SCHEMA))
        self._vectors: dict[str, dict[Place, dict[str, array[float]]]] = defaultdict(lambda: defaultdict(dict))
        self.learnt = 0
        """By the greatest version that answered."""
        for value in values:
            record = schemaless_reader(BytesIO(value[HEADER.size :]), schema, None)
            place = record["source"]["partition"], record["source"]["offset"]
            here = self._vectors[record["customer_id"]][place]
            if record["target"] in here:
                raise ValueError(f"{record['target']} answered twice for the event at {place}")
            here[record["target"]] = array("d", record["vector"])
            self.learnt = max(self.learnt, int(record["version"].partition("@")[2]))

    def in_order(self) -> dict[str, Iterator[tuple[Place, dict[str, "array[float]"]]]]:
        """Of each customer: place and vectors of its events, in the order of its partition."""
        return {customer: iter(sorted(answers.items())) for customer, answers in self._vectors.items()}

    def to_learn(self) -> int:
        """How many of the events answered teach."""
        return sum(
            offset % LEARN_EVERY == LEARN_EVERY - 1 for answers in self._vectors.values() for _, offset in answers
        )


def check(values: Sequence[bytes], events: int) -> None:
    """ValueError unless these are the predictions of the backlog of so many events."""
    if len(values) != len(TARGETS) * events:
        raise ValueError(f"{len(values)} predictions of {events} events")
    answers = BaselineAnswers(values)
    answered = answers.in_order()
    profiles: dict[str, MemoryCustomer] = defaultdict(MemoryCustomer)
    for record in backlog(events):
        customer = record["customer_id"]
        place, found = next(answered.get(customer, iter(())), (None, {}))
        update(profiles[customer], record["type"], record["occurred_at"], record["amount"])
        known = features(profiles[customer])
        vector = [known.get(name, nan) for name in NAMES]
        if set(found) != set(TARGETS) or not all(same(vector, each) for each in found.values()):
            raise ValueError(f"event {record['event_id']} of {customer} (at {place}): {vector}, but told was {found}")
    if answers.learnt != answers.to_learn():
        raise ValueError(f"{answers.learnt} examples learnt instead of {answers.to_learn()}")


def same(one: Sequence[float], other: Sequence[float]) -> bool:
    """Equal but for the order in which sums were added up; unknown equals unknown."""
    return len(one) == len(other) and all(
        a == b or isclose(a, b, rel_tol=1e-9, abs_tol=1e-9) or (isnan(a) and isnan(b))
        for a, b in zip(one, other, strict=True)
    )
