"""Simulated customers with a hidden state: they arrive, grow, settle, fade, leave and may come back.

The state decides how much a customer does, and what. The simulation knows it, so it also knows how likely a customer
is to stay silent, and how well a model could predict that at best.

Events are drawn a day at a time. States change at midnight only. Within a day a customer's events are a Poisson
process whose rate follows the habits of a segment by hour and weekday."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
START_MS = 1_704_067_200_000
"""2024-01-01 UTC, a Monday."""
SETTLED, GROWING, FADING, GONE = range(4)
LEVEL = np.array([1.0, 1.7, 0.3, 0.0])
"""Activity by state, relative to the customer's own rate."""
CHANGES = np.array(
    [
        [0.965, 0.015, 0.020, 0.000],
        [0.060, 0.935, 0.005, 0.000],
        [0.050, 0.010, 0.860, 0.080],
        [0.004, 0.000, 0.000, 0.996],
    ]
)
"""Probability per day of a change from one state (row) to another (column)."""
TILT = 0.8
"""How much more rarely heavy customers fade than `CHANGES` says, and how much more often light ones. Drift reverses
it."""
KINDS = ("call", "sms", "data", "topup")
MIX = np.array([[0.40, 0.20, 0.35, 0.05], [0.35, 0.15, 0.42, 0.08], [0.50, 0.30, 0.18, 0.02], [0.25] * 4])
"""Share of each kind of event by state."""
SMS, TOPUP = KINDS.index("sms"), KINDS.index("topup")
ARRIVE_DAYS = 20
"""A tenth of the customers arrive within so many days; the others exist from the start."""
RING = 5
"""Customers of a fraud ring. They all top up the same amount within minutes."""


class Events(NamedTuple):
    """Events in event-time order, an array per column.

    moment: ms. customer: number. kind: index of KINDS. amount: NaN if there is none. fraud: whether a ring caused
    it."""

    moment: Any
    customer: Any
    kind: Any
    amount: Any
    fraud: Any


def habits() -> Any:
    """Return the share of a day's events by segment, weekday and hour. A segment's week sums up to 7."""
    hours = np.arange(24)
    shapes = [
        np.exp(-(((hours - 9) / 3.0) ** 2)) + 0.8 * np.exp(-(((hours - 17) / 2.5) ** 2)),  # commuters
        np.exp(-(((hours - 20) / 3.0) ** 2)),  # evenings
        np.exp(-(((hours - 13) / 5.0) ** 2)),  # all day
        np.exp(-((((hours + 12) % 24 - 13) / 3.0) ** 2)),  # nights
    ]
    weekdays = np.array([[1.2] * 5 + [0.5, 0.4], [0.9] * 5 + [1.3, 1.2], [1.0] * 7, [0.8] * 5 + [1.6, 1.3]])
    table = weekdays[:, :, None] * (np.array(shapes) + 0.03)[:, None, :]
    return 7.0 * table / table.sum(axis=(1, 2), keepdims=True)


class CustomerBehaviour:
    """The population of a simulation. Call `day` once for each day, in order.

    Takes 7 bytes per customer, and about 30 more while a day is drawn (by the types of the arrays)."""

    def __init__(self, customers: int, seed: int, per_day: float, skew: float = 0.8, rings: float = 0.0) -> None:
        """`per_day`: events of all customers on an average day. `skew`: Zipf exponent of the customers' rates.
        `rings`: share of customers that belong to a fraud ring."""
        self._rng = np.random.default_rng(seed)
        self.customers = customers
        rates = (1.0 + np.arange(customers)) ** -skew
        self._rng.shuffle(rates)
        self._state = self._rng.choice(4, customers, p=_shares()).astype(np.uint8)
        self._rate = (rates * (per_day / (rates @ LEVEL[self._state]))).astype(np.float32)
        self._heavy = self._rate > np.median(self._rate)
        late = self._rng.random(customers) < 0.1
        self._arrives = np.where(late, self._rng.integers(1, ARRIVE_DAYS, customers), 0).astype(np.uint8)
        self._bounds = np.linspace(0, customers, len(HABITS) + 1).astype(int)
        """The boundaries between the segments of customers."""
        members = int(customers * rings) // RING * RING
        self._rings = self._rng.choice(customers, members, replace=False).reshape(-1, RING)
        self._day = -1
        self._turned = 0.0

    def day(self, turned: float = 0.0, busy: Any = 1.0) -> Iterator[Events]:
        """Yield the next day's events, hour by hour. Customers that leave for good are not replaced, since runs are
        short.

        `turned`: drift so far, 0 to 1. `busy`: factor on the rate, per hour."""
        self._day += 1
        self._turned = turned
        if self._day:
            self._change()
        self._busy = np.broadcast_to(busy, 24)
        sums = np.cumsum(self._rates(), dtype=np.float64)
        edges = np.concatenate([[0.0], sums])[self._bounds]
        fraud = self._frauds()
        for hour in range(24):
            yield self._hour(hour, sums, edges, fraud)

    def silence(self, events: Events) -> Any:
        """Return, for events of the current day, the probability that the customer does nothing for the next 24
        hours."""
        who, state = events.customer, self._state[events.customer]
        today, tomorrow = self._masses(events)
        rate = self._rate[who].astype(np.float64)
        stay = np.exp(-rate * LEVEL[state] * today)
        rows = self._changes(self._heavy[who], state)
        return stay * (rows * np.exp(-(rate * tomorrow)[:, None] * LEVEL)).sum(axis=1)

    def _rates(self) -> Any:
        present = self._arrives <= min(self._day, ARRIVE_DAYS)
        return self._rate * LEVEL[self._state] * present

    def _hour(self, hour: int, sums: Any, edges: Any, fraud: Events) -> Events:
        rng, weekday = self._rng, self._day % 7
        shares = HABITS[:, weekday, hour] * self._busy[hour]
        counts = rng.poisson(np.diff(edges) * shares)
        draws = np.concatenate(
            [low + rng.random(n) * (high - low) for low, high, n in zip(edges, edges[1:], counts, strict=False)]
        )
        who = np.searchsorted(sums, np.sort(draws), side="right").astype(np.int32)
        rng.shuffle(who)
        state = self._state[who]
        kind = (rng.random(len(who))[:, None] > np.cumsum(MIX, axis=1)[state][:, :3]).sum(axis=1).astype(np.uint8)
        amount = np.round(rng.exponential(10.0, len(who)), 2)
        amount[kind == SMS] = np.nan
        begin = START_MS + self._day * DAY_MS + hour * HOUR_MS
        moment = begin + np.sort(rng.integers(0, HOUR_MS, len(who)))
        events = Events(moment, who, kind, amount, np.zeros(len(who), dtype=bool))
        now = (fraud.moment >= begin) & (fraud.moment < begin + HOUR_MS)
        return joined([events, Events(*(column[now] for column in fraud))]) if now.any() else events

    def _frauds(self) -> Events:
        """Return the top-ups of the rings that are active on this day, every tenth on average. Each member makes the
        same top-up three times within ten minutes."""
        rng = self._rng
        rings = self._rings[rng.random(len(self._rings)) < 0.1]
        who = np.repeat(rings.reshape(-1), 3).astype(np.int32)
        each = RING * 3
        begin = np.repeat(rng.integers(0, DAY_MS - 600_000, len(rings)), each)
        moment = START_MS + self._day * DAY_MS + begin + rng.integers(0, 600_000, len(who))
        amount = np.repeat(np.round(rng.uniform(20, 100, len(rings)), 2), each)
        return Events(moment, who, np.full(len(who), TOPUP, np.uint8), amount, np.ones(len(who), dtype=bool))

    def _change(self) -> None:
        draws = self._rng.random(self.customers, dtype=np.float32)
        for state in range(4):
            for heavy in (False, True):
                them = np.flatnonzero((self._state == state) & (self._heavy == heavy))
                [row] = self._changes(np.array([heavy]), np.array([state]))
                self._state[them] = np.minimum(np.searchsorted(np.cumsum(row), draws[them], side="right"), GONE)

    def _changes(self, heavy: Any, state: Any) -> Any:
        """Return rows of CHANGES, tilted by the activity of the customers and by the drift so far."""
        rows = CHANGES[state].copy()
        lean = TILT * (1.0 - 2.0 * self._turned)
        fades = rows[:, FADING] * np.where(heavy, 1.0 - lean, 1.0 + lean)
        alive = state < FADING
        rows[:, 0] += np.where(alive, rows[:, FADING] - fades, 0.0)
        rows[:, FADING] = np.where(alive, fades, rows[:, FADING])
        return rows

    def _masses(self, events: Events) -> tuple[Any, Any]:
        """Return the expected events, for rate and level 1, from each moment until midnight, and from midnight for the
        rest of 24 hours.

        Tomorrow's load factor is assumed to be today's."""
        segment = np.searchsorted(self._bounds[1:], events.customer, side="right")
        at = (events.moment - START_MS - self._day * DAY_MS) / HOUR_MS
        hour = np.minimum(at.astype(int), 23)
        part = at - hour
        today, tomorrow = (HABITS[:, (self._day + later) % 7] * self._busy for later in (0, 1))
        before = _before(today)[segment, hour] + part * today[segment, hour]
        after = _before(tomorrow)[segment, hour] + part * tomorrow[segment, hour]
        return today.sum(axis=1)[segment] - before, after


def joined(parts: list[Events]) -> Events:
    """Return several groups of events as one, in event-time order."""
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    order = np.argsort(columns[0], kind="stable")
    return Events(*(column[order] for column in columns))


def _before(day: Any) -> Any:
    """Return the sum before each hour."""
    return np.cumsum(day, axis=1) - day


def _shares() -> Any:
    """Return the states of a population that has existed for a while: most customers are settled."""
    return np.array([0.70, 0.15, 0.10, 0.05])


HABITS = habits()
