"""Features the slow and obvious way: keep every event, recompute from scratch.

A window of 3 tiles at a clock in tile 5 (tiles are [k*width, (k+1)*width), UTC):

    tile      2         3         4         5         6
         ├─────────┼─────────┼─────────┼─────────┼─────────┤
                   [=============window=============)
                                           ^ clock
"""

import math
import operator as op
from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import pairwise
from math import nan
from typing import Any, NamedTuple

from streams.features.declarations import Attribute, Count, DistinctCount, Max, Mean, Min, Ratio, Sum, TimeSince
from streams.features.distinct import hash64

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
    """The exact value (as the nearest double) of one feature."""
    if isinstance(declared, Ratio):
        by_name = {f.name: f for f in all_features}
        above = feature(by_name[declared.numerator], log, clock, all_features)
        below = feature(by_name[declared.denominator], log, clock, all_features)
        return nan if below == 0 else above / below
    of = (declared.of,) if isinstance(declared.of, str) else declared.of
    where = {} if isinstance(declared, Attribute) else declared.where
    mine = [e for e in log if e.kind in of and fits(e.record, where)]
    if isinstance(declared, TimeSince):
        return (clock - max(e.at for e in mine)) / MS[declared.unit] if mine else nan
    if isinstance(declared, Attribute):
        values = [e for e in mine if e.record[declared.field] is not None]
        if not values:
            return nan
        value = latest(values).record[declared.field]
        return float(value if declared.equals is None else value == declared.equals)
    start = start_of_window(clock, declared.over)
    mine = [e for e in mine if start <= e.at]
    if isinstance(declared, Count):
        return float(len(mine))
    mine = [e for e in mine if e.record[declared.field] is not None]
    values = [e.record[declared.field] for e in mine]
    if isinstance(declared, DistinctCount):
        return distinct(declared, mine, values)
    if isinstance(declared, Sum):
        return float(sum(map(Fraction, values)) * Fraction(declared.scale)) if values else 0.0
    if not values:
        return nan
    scale = declared.scale
    if isinstance(declared, Mean):
        return float(sum(map(Fraction, values)) / len(values) * Fraction(scale))
    chosen = {Min: min, Max: max}.get(type(declared), lambda _: latest(mine).record[declared.field])(values)
    return float(chosen * scale)


def latest(events: Sequence[Event]) -> Event:
    """By event time; of two at one moment the later in the log."""
    found = events[0]
    for _, event in pairwise(events):
        if event.at >= found.at:
            found = event
    return found


def distinct(declared: DistinctCount, mine: Sequence[Event], values: Sequence[Any]) -> float:
    """Exact, unless a tile holds more than `cap` different values: then the estimate from all hashes."""
    width = MS[declared.over[-1]] if declared.over else None
    tiles: dict[Any, set[Any]] = {}
    for event, value in zip(mine, values, strict=True):
        tiles.setdefault(event.at // width if width else event.at >= 0, set()).add(value)
    if all(len(tile) <= declared.cap for tile in tiles.values()):
        return float(len(set(values)))
    smallest = sorted({hash64(value) for value in values})[: declared.cap + 1]
    return declared.cap / ((smallest[-1] + 1) / 2.0**64)
