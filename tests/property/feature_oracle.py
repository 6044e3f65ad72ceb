"""Features the slow and obvious way: keep every event, recompute from scratch.

A window of 3 tiles at a clock in tile 5 (tiles are [k*width, (k+1)*width), UTC):

    tile      2         3         4         5         6
         ├─────────┼─────────┼─────────┼─────────┼─────────┤
                   [=============window=============)
                                           ^ clock
"""

import math
import operator as op
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from itertools import pairwise
from math import nan
from typing import Any, NamedTuple

from streams.features.distinct import hash64
from streams.usecases import (
    Attribute,
    Count,
    DistinctCount,
    Last,
    Max,
    Mean,
    Min,
    Ratio,
    Sum,
    TimeSince,
    TimeSinceFirst,
)

MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 7 * 86_400_000}


OPERATORS = {
    "==": op.eq,
    "!=": op.ne,
    "<": op.lt,
    "<=": op.le,
    ">": op.gt,
    ">=": op.ge,
    "in": lambda value, bound: value in bound,
    "not in": lambda value, bound: value not in bound,
}


class Event(NamedTuple):
    kind: str
    at: int
    record: Mapping[str, Any]


def fits(record: Mapping[str, Any], where: Mapping[str, Any]) -> bool:
    for field, wanted in where.items():
        value = record[field]
        operator, bound = wanted if isinstance(wanted, tuple) else ("==", wanted)
        if operator in ("<", "<=", ">", ">=") and value is None:
            return False
        if not OPERATORS[operator](value, bound):
            return False
    return True


def start_of_window(clock: int, over: str | None) -> float:
    if over is None:
        return -math.inf
    width = MS[over[-1]]
    start_of_tile = math.floor(Fraction(clock, width)) * width
    return start_of_tile - (int(over[:-1]) - 1) * width


def feature(declared: Any, log: Sequence[Event], clock: int, all_features: Sequence[Any]) -> float:
    """Return the exact value of a feature, as the nearest double."""
    return ORACLES[type(declared)](declared, log, clock, all_features)


Oracle = Callable[[Any, Sequence[Event], int, Sequence[Any]], float]
ORACLES: dict[type, Oracle] = {}
"""The oracle of each registered kind of feature. No oracle uses the code that it checks."""


def oracle(*kinds: type) -> Callable[[Oracle], Oracle]:
    def register(function: Oracle) -> Oracle:
        ORACLES.update(dict.fromkeys(kinds, function))
        return function

    return register


def mine(declared: Any, log: Sequence[Event]) -> list[Event]:
    """Return the events that a feature reads, at any time."""
    of = (declared.of,) if isinstance(declared.of, str) else declared.of
    return [e for e in log if e.kind in of and fits(e.record, getattr(declared, "where", {}))]


def within(declared: Any, log: Sequence[Event], clock: int) -> list[Event]:
    """Return the feature's events within its window."""
    return [e for e in mine(declared, log) if start_of_window(clock, declared.over) <= e.at]


def known(declared: Any, events: Sequence[Event]) -> list[Event]:
    """Return the events whose field is not null."""
    return [e for e in events if e.record[declared.field] is not None]


@oracle(Count)
def count_of(declared: Any, log: Sequence[Event], clock: int, _: Sequence[Any]) -> float:
    return float(len(within(declared, log, clock)))


@oracle(Sum)
def sum_of(declared: Any, log: Sequence[Event], clock: int, _: Sequence[Any]) -> float:
    values = [e.record[declared.field] for e in known(declared, within(declared, log, clock))]
    return float(sum(map(Fraction, values)) * Fraction(declared.scale)) if values else 0.0


@oracle(Mean)
def mean_of(declared: Any, log: Sequence[Event], clock: int, _: Sequence[Any]) -> float:
    values = [e.record[declared.field] for e in known(declared, within(declared, log, clock))]
    return float(sum(map(Fraction, values)) / len(values) * Fraction(declared.scale)) if values else nan


@oracle(Min, Max)
def extreme_of(declared: Any, log: Sequence[Event], clock: int, _: Sequence[Any]) -> float:
    values = [e.record[declared.field] for e in known(declared, within(declared, log, clock))]
    best = min if isinstance(declared, Min) else max
    return float(best(values) * declared.scale) if values else nan


@oracle(Last)
def last_of(declared: Any, log: Sequence[Event], clock: int, _: Sequence[Any]) -> float:
    events = known(declared, within(declared, log, clock))
    return float(latest(events).record[declared.field] * declared.scale) if events else nan


@oracle(DistinctCount)
def distinct_of(declared: Any, log: Sequence[Event], clock: int, _: Sequence[Any]) -> float:
    events = known(declared, within(declared, log, clock))
    return distinct(declared, events, [e.record[declared.field] for e in events])


@oracle(TimeSince)
def time_since(declared: Any, log: Sequence[Event], clock: int, _: Sequence[Any]) -> float:
    events = mine(declared, log)
    return (clock - max(e.at for e in events)) / MS[declared.unit] if events else nan


@oracle(TimeSinceFirst)
def time_since_first(declared: Any, log: Sequence[Event], clock: int, _: Sequence[Any]) -> float:
    events = within(declared, log, clock)
    return (clock - min(e.at for e in events)) / MS[declared.unit] if events else nan


@oracle(Attribute)
def attribute_of(declared: Any, log: Sequence[Event], clock: int, _: Sequence[Any]) -> float:
    events = known(declared, mine(declared, log))
    if not events:
        return nan
    value = latest(events).record[declared.field]
    return float(value if declared.equals is None else value == declared.equals)


@oracle(Ratio)
def ratio_of(declared: Any, log: Sequence[Event], clock: int, all_features: Sequence[Any]) -> float:
    by_name = {f.name: f for f in all_features}
    above = feature(by_name[declared.numerator], log, clock, all_features)
    below = feature(by_name[declared.denominator], log, clock, all_features)
    return nan if below == 0 else above / below


def latest(events: Sequence[Event]) -> Event:
    """Return the latest event by event time. At equal times, the later one in the log wins."""
    found = events[0]
    for _, event in pairwise(events):
        if event.at >= found.at:
            found = event
    return found


def distinct(declared: DistinctCount, mine: Sequence[Event], values: Sequence[Any]) -> float:
    """Return the exact count, or the estimate from all hashes when a tile holds more than `cap` different values."""
    width = MS[declared.over[-1]] if declared.over else None
    tiles: dict[Any, set[Any]] = {}
    for event, value in zip(mine, values, strict=True):
        tiles.setdefault(event.at // width if width else event.at >= 0, set()).add(value)
    if all(len(tile) <= declared.cap for tile in tiles.values()):
        return float(len(set(values)))
    smallest = sorted({hash64(value) for value in values})[: declared.cap + 1]
    return declared.cap / ((smallest[-1] + 1) / 2.0**64)
