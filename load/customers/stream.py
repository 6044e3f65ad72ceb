"""The records of a scenario in the order in which they are published."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from load.customers.behaviour import DAY_MS, HOUR_MS, START_MS, CustomerBehaviour, Events
from load.customers.encoding import customer_ids, encoded, split
from load.customers.scenarios import Scenario, turned

DISORDER_MS = 600_000
LATE_DAYS = (3, 10)
DUPLICATE_WITHIN = 1000
"""A duplicate follows the original within so many records."""
HOT = 0
"""Number of the customer that is hot in `hot-customer`."""


class Chunk(NamedTuple):
    """An hour of event time: the records, and the tick that ends it.

    malformed: number of records that are not Avro.
    repeated: number of duplicates among the others.
    late: number of the others that are more than an hour older than the tick before them."""

    tick: int
    keys: list[bytes]
    values: list[bytes]
    malformed: int
    repeated: int
    late: int


class EventStream:
    """Chunks with `total` records in all.

    `headers`: (zero byte and schema id, bytes after the known fields) of the first schema and of the newer one."""

    def __init__(
        self,
        behaviour: CustomerBehaviour,
        scenario: Scenario,
        total: int,
        seed: int,
        headers: tuple[tuple[bytes, bytes], ...],
    ) -> None:
        self.best = BestAuc(behaviour.customers)
        self._behaviour = behaviour
        self._scenario = scenario
        self._total = total
        self._rng = np.random.default_rng([seed, 1])
        self._headers = headers
        self._numbers = seed << 40
        self._published = 0

    def __iter__(self) -> Iterator[Chunk]:
        day = 0
        while True:
            at = self._published / self._total
            for hour, events in enumerate(self._behaviour.day(turned(self._scenario.drift, at))):
                self.best.take(events, self._behaviour.silence(events))
                yield self._chunk(events, START_MS + day * DAY_MS + (hour + 1) * HOUR_MS)
                if self._published >= self._total:
                    return
            day += 1

    def _chunk(self, events: Events, tick: int) -> Chunk:
        scenario, rng, count = self._scenario, self._rng, len(events.moment)
        if scenario.hot:
            events = events._replace(customer=np.where(rng.random(count) < scenario.hot, HOT, events.customer))
        events = events._replace(moment=np.maximum(events.moment - self._lag(count), START_MS))
        new = scenario.new_schema_at is not None and self._published >= scenario.new_schema_at * self._total
        header, tail = self._headers[-1 if new else 0]
        values = encoded(header, self._numbers + np.arange(count), events, tail)
        self._numbers += count
        keys = split(customer_ids(events.customer))
        order = self._order(count)[: self._total - self._published]
        self._published += len(order)
        keys, values = [keys[i] for i in order], [values[i] for i in order]
        bad = np.flatnonzero(rng.random(len(order)) < scenario.malformed) if scenario.malformed else ()
        for i in bad:
            values[i] = b"\x01" + rng.bytes(20)
        good = np.delete(order, bad)
        late = int((events.moment[good] < tick - 2 * HOUR_MS).sum())
        return Chunk(tick, keys, values, len(bad), len(good) - len(np.unique(good)), late)

    def _lag(self, count: int) -> Any:
        """Return the milliseconds by which each event is published late."""
        scenario, draws = self._scenario, self._rng.random(count)
        minutes = self._rng.integers(0, DISORDER_MS, count)
        days = self._rng.integers(LATE_DAYS[0] * DAY_MS, LATE_DAYS[1] * DAY_MS, count)
        lag = np.where(draws < scenario.late + scenario.disordered, minutes, 0)
        return np.where(draws < scenario.late, days, lag)

    def _order(self, count: int) -> Any:
        """Return the order of publication: all events in turn, some a second time a little later."""
        if not self._scenario.duplicates:
            return np.arange(count)
        again = np.flatnonzero(self._rng.random(count) < self._scenario.duplicates)
        places = np.concatenate([np.arange(count), again + self._rng.integers(1, DUPLICATE_WITHIN, len(again))])
        return np.concatenate([np.arange(count), again])[np.argsort(places, kind="stable")]


class BestAuc:
    """The best AUC that a prediction of "silent for the next 24 hours" can have.

    Compares the true probabilities, which the simulation knows, with what happened. Events without a next event in
    the run are left out, since their label is unknown; so are those of fraud rings. Takes 12 bytes per customer."""

    BINS = 1000

    def __init__(self, customers: int) -> None:
        self._last = np.zeros(customers, dtype=np.int64)
        self._chance = np.zeros(customers, dtype=np.float32)
        self._counts = np.zeros((2, self.BINS), dtype=np.int64)

    def take(self, events: Events, chances: Any) -> None:
        """Add events in event-time order, with the probability of silence after each."""
        at = np.flatnonzero(~events.fraud)
        order = at[np.argsort(events.customer[at], kind="stable")]
        who, moment, chance = events.customer[order], events.moment[order], chances[order]
        first = np.concatenate([[True], who[1:] != who[:-1]])[: len(who)]
        before = np.where(first, self._last[who], np.roll(moment, 1))
        predicted = np.where(first, self._chance[who], np.roll(chance, 1))
        known = before > 0
        silent = (moment - before > DAY_MS)[known].astype(int)
        bins = np.minimum((predicted[known] * self.BINS).astype(int), self.BINS - 1)
        np.add.at(self._counts, (silent, bins), 1)
        last = np.concatenate([who[1:] != who[:-1], [True]])[: len(who)]
        self._last[who[last]], self._chance[who[last]] = moment[last], chance[last]

    @property
    def auc(self) -> float:
        """The AUC: the probability that a customer who fell silent was given a higher probability of silence than one
        who did not. NaN until both have been seen."""
        talks, silent = self._counts
        pairs = talks.sum() * silent.sum()
        below = np.cumsum(talks) - talks
        return float((silent * (below + talks / 2)).sum() / pairs) if pairs else float("nan")
