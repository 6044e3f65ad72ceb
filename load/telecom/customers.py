"""What the customers do, day by day: a seeded simulation. The same seed gives the same events.

Each customer has habits (calls, data, top-ups) and lives in a radio cell. A cell turns bad for some time. A bad
network makes a customer unhappy. Nobody sees that directly: calls get fewer, complaints come, and one day a
cancellation.

From the day of the campaign, a competitor gives young customers free data, so they use less here. It also lures the
heavy users among them away, whatever their network; they leave without a complaint. Unhappy customers mostly stay
now, because the operator courts them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

DAY_MS = 86_400_000
CELLS = 300
REGIONS = ("north", "east", "south", "west")

BREAKS = 0.004
"""Probability per day that a good cell turns bad."""
REPAIRED = 0.03
"""Probability per day that a bad cell turns good: it is bad for 33 days on average."""
SOUR = 0.12
"""How fast a customer's mood follows the network, per day."""
COMPLAINTS = 0.3
"""Complaints per day of the unhappiest customer. They grow with the square of unhappiness."""
TERM = 21
"""Days for which a new customer stays at least."""
CONTENT_HAZARD = 0.0004
UNHAPPY_HAZARD = 0.045
"""Probability per day to leave, for a content and for the unhappiest customer. It grows with the cube of
unhappiness."""
FREE_DATA = 0.3
"""During the campaign: share of their data that young customers still use here."""
LURE = 0.04
"""During the campaign: probability per day that a young heavy user is lured."""
LURED_HAZARD = 0.1
"""Probability per day that a lured customer leaves."""
FADED = 0.1
"""During the campaign: factor on the hazard of unhappy customers, since the operator courts them."""


class TelecomEvent(NamedTuple):
    """One event. name: short name of the schema. fields: the record without its common fields."""

    time: int
    customer: int
    name: str
    fields: dict[str, Any]


@dataclass(slots=True)
class Habits:
    """The habits of all customers, an array per habit."""

    young: Any
    heavy: Any
    age: Any
    prepaid: Any
    cell: Any
    calls: Any
    minutes: Any
    sessions: Any
    megabytes: Any
    top_ups: Any
    amount: Any


def draw_habits(rng: np.random.Generator, count: int) -> Habits:
    """Return the habits of `count` new customers."""
    young = rng.random(count) < 0.4
    prepaid = rng.random(count) < 0.7
    heavy = rng.random(count) < np.where(young, 0.6, 0.1)
    return Habits(
        young=young,
        heavy=heavy,
        age=np.where(young, rng.integers(18, 30, count), rng.integers(30, 80, count)),
        prepaid=prepaid,
        cell=rng.integers(0, CELLS, count),
        calls=rng.gamma(4.0, 0.225, count),
        minutes=rng.gamma(5.0, 0.8, count),
        sessions=np.where(heavy, rng.gamma(6.0, 0.2, count), rng.gamma(3.0, 0.1, count)),
        megabytes=np.where(heavy, 400.0, 60.0) * rng.lognormal(0.0, 0.3, count),
        top_ups=rng.gamma(8.0, 0.016, count) * np.where(prepaid, 1.0, 0.25),
        amount=rng.choice([500, 1000, 1500, 2000, 3000], count, p=[0.2, 0.35, 0.2, 0.15, 0.1]),
    )


class Telecom:
    """All customers. Call `day` once for each day, in order. A new customer replaces each one that leaves."""

    def __init__(self, count: int, seed: int, campaign_day: int, start_ms: int) -> None:
        """`start_ms`: event time of day 0. `campaign_day`: first day of the competitor's campaign."""
        self._rng = np.random.default_rng(seed)
        self._start = start_ms
        self._campaign = campaign_day
        self._habits = draw_habits(self._rng, count)
        self._mood = np.zeros(count)
        self._lured = np.zeros(count, dtype=bool)
        self._arrives = self._rng.integers(0, 3, count)
        self._bad = self._rng.random(CELLS) < 0.15
        self._numbers = np.arange(count)
        self._next_number = count
        self.left = 0

    @property
    def customers(self) -> int:
        """Customers so far, including those that left."""
        return self._next_number

    def day(self, day: int) -> list[TelecomEvent]:
        """Return all events of a day in event-time order."""
        self._turn_cells()
        here = self._arrives <= day
        campaign = day >= self._campaign
        bad = self._bad[self._habits.cell]
        self._mood = np.clip(self._mood + SOUR * (bad - self._mood), 0.0, 1.0)
        if campaign:
            young_heavy = self._habits.young & self._habits.heavy & here
            self._lured |= young_heavy & (self._rng.random(len(here)) < LURE)
        bound = day < self._arrives + TERM
        leaves = here & ~bound & (self._rng.random(len(here)) < self._hazard(campaign))
        events = [*self._arrivals(day), *self._acts(day, here), *self._cancellations(day, leaves)]
        self._replace(leaves, day)
        events.sort()
        return events

    def _turn_cells(self) -> None:
        draw = self._rng.random(CELLS)
        self._bad = np.where(self._bad, draw >= REPAIRED, draw < BREAKS)

    def _hazard(self, campaign: bool) -> Any:
        unhappy = UNHAPPY_HAZARD * self._mood**3 * (FADED if campaign else 1.0)
        return CONTENT_HAZARD + unhappy + np.where(self._lured, LURED_HAZARD, 0.0)

    def _arrivals(self, day: int) -> Iterator[TelecomEvent]:
        habits = self._habits
        for i in np.flatnonzero(self._arrives == day):
            fields = {
                "age": int(habits.age[i]),
                "plan": "prepaid" if habits.prepaid[i] else "contract",
                "region": REGIONS[habits.cell[i] % 4],
            }
            yield TelecomEvent(self._moment(day, 0.0), int(self._numbers[i]), "Profile", fields)

    def _acts(self, day: int, here: Any) -> Iterator[TelecomEvent]:
        """Yield calls, data, top-ups and complaints: Poisson processes that a bad mood and the competitor damp."""
        habits, mood, lured = self._habits, self._mood, self._lured
        activity = (1.0 - 0.75 * mood) * here
        yield from self._calls(day, habits.calls * activity)
        free = np.where(habits.young & (day >= self._campaign), FREE_DATA, 1.0)
        yield from self._data(day, habits.sessions * activity * free * np.where(lured, 0.6, 1.0))
        yield from self._top_ups(day, habits.top_ups * activity * np.where(lured, 0.5, 1.0))
        yield from self._complaints(day, (0.002 + COMPLAINTS * mood**2) * here)

    def _draw(self, rate: Any) -> Any:
        """Return the customers of the events that happen at these rates, by index."""
        return np.repeat(np.arange(len(rate)), self._rng.poisson(rate))

    def _calls(self, day: int, rate: Any) -> Iterator[TelecomEvent]:
        who = self._draw(rate)
        minutes = self._habits.minutes[who] * self._rng.exponential(1.0, len(who))
        incoming = self._rng.random(len(who)) < 0.45
        away = self._rng.random(len(who)) < 0.3
        cells = np.where(away, self._rng.integers(0, CELLS, len(who)), self._habits.cell[who])
        for i, time, length, comes, cell in zip(who, self._times(day, len(who)), minutes, incoming, cells, strict=True):
            fields = {"minutes": round(float(length), 2), "direction": "in" if comes else "out", "cell": f"cell-{cell}"}
            yield TelecomEvent(time, int(self._numbers[i]), "Call", fields)

    def _data(self, day: int, rate: Any) -> Iterator[TelecomEvent]:
        who = self._draw(rate)
        sizes = self._habits.megabytes[who] * self._rng.exponential(1.0, len(who))
        for i, time, size in zip(who, self._times(day, len(who)), sizes, strict=True):
            yield TelecomEvent(time, int(self._numbers[i]), "DataUse", {"megabytes": round(float(size), 1)})

    def _top_ups(self, day: int, rate: Any) -> Iterator[TelecomEvent]:
        who = self._draw(rate)
        steps = self._rng.choice([0.5, 1.0, 2.0], len(who), p=[0.15, 0.7, 0.15])
        for i, time, step in zip(who, self._times(day, len(who)), steps, strict=True):
            yield TelecomEvent(
                time, int(self._numbers[i]), "TopUp", {"amount_cents": int(self._habits.amount[i] * step)}
            )

    def _complaints(self, day: int, rate: Any) -> Iterator[TelecomEvent]:
        who = self._draw(rate)
        topics = self._rng.random(len(who))
        for i, time, draw in zip(who, self._times(day, len(who)), topics, strict=True):
            topic = "network" if draw < 0.2 + 0.7 * self._mood[i] else "price"
            yield TelecomEvent(time, int(self._numbers[i]), "Complaint", {"topic": topic})

    def _cancellations(self, day: int, leaves: Any) -> Iterator[TelecomEvent]:
        who = np.flatnonzero(leaves)
        for i, time in zip(who, self._times(day, len(who)), strict=True):
            yield TelecomEvent(time, int(self._numbers[i]), "Cancellation", {"reason": ""})

    def _replace(self, leaves: Any, day: int) -> None:
        """Replace the customers that left, from the next day on."""
        places = np.flatnonzero(leaves)
        fresh = draw_habits(self._rng, len(places))
        for name in Habits.__slots__:
            getattr(self._habits, name)[places] = getattr(fresh, name)
        self._mood[places] = 0.0
        self._lured[places] = False
        self._arrives[places] = day + 1
        self._numbers[places] = self._next_number + np.arange(len(places))
        self._next_number += len(places)
        self.left += len(places)

    def _times(self, day: int, count: int) -> list[int]:
        """Return times between 6:00 and 24:00, in ms."""
        return [self._moment(day, float(part)) for part in 0.25 + 0.75 * self._rng.random(count)]

    def _moment(self, day: int, part: float) -> int:
        return self._start + int((day + part) * DAY_MS)
