"""The 20 features of the reference job in plain dicts: hourly and daily tiles per event type, and the last time of
each."""

from dataclasses import dataclass, field
from typing import Protocol

from load.reference.events import DAY_MS, TYPES

HOUR_MS = 3_600_000
HOURS, DAYS = 24, 7
"""Tiles per window: the one that holds the customer's clock, and those before it."""

Tiles = dict[str, dict[int, list[float]]]
"""Event type → slot (time // width) → [count, sum]."""


class CustomerTiles(Protocol):
    """The state of a customer, whatever stores it."""

    hours: Tiles
    days: Tiles
    seen: dict[str, int]
    """When each event type occurred last, ms."""
    clock: int
    """The latest event time, ms; 0 for a new customer."""


@dataclass(slots=True)
class MemoryCustomer:
    """A customer in memory."""

    hours: Tiles = field(default_factory=dict)
    days: Tiles = field(default_factory=dict)
    seen: dict[str, int] = field(default_factory=dict)
    clock: int = 0


NAMES = (
    *(f"{kind}_{what}_{over}" for over in ("24h", "7d") for what in ("count", "sum") for kind in TYPES),
    *(f"days_since_{kind}" for kind in TYPES),
)
"""The features in the order of the vector."""
WINDOWS = tuple(
    (kind, f"{kind}_count_{over}", f"{kind}_sum_{over}", over == "24h") for over in ("24h", "7d") for kind in TYPES
)
SINCE = tuple((kind, f"days_since_{kind}") for kind in TYPES)


def update(customer: CustomerTiles, kind: str, moment: int, amount: float | None) -> None:
    """Count an event."""
    customer.clock = max(customer.clock, moment)
    customer.seen[kind] = max(customer.seen.get(kind, 0), moment)
    _count(customer.hours.setdefault(kind, {}), moment // HOUR_MS, amount or 0.0, HOURS)
    _count(customer.days.setdefault(kind, {}), moment // DAY_MS, amount or 0.0, DAYS)


def _count(tiles: dict[int, list[float]], slot: int, amount: float, keep: int) -> None:
    tile = tiles.get(slot)
    if tile is None:
        # removed with each new tile: what left the window costs nothing in changelogs and stores
        for old in [other for other in tiles if other <= slot - keep]:
            del tiles[old]
        tile = tiles[slot] = [0, 0.0]
    tile[0] += 1
    tile[1] += amount


def features(customer: CustomerTiles) -> dict[str, float]:
    """Return the features at the customer's clock. Unknown ones are left out."""
    found: dict[str, float] = {}
    hours, days, clock = customer.hours, customer.days, customer.clock
    before_hours, before_days = clock // HOUR_MS - HOURS, clock // DAY_MS - DAYS
    for kind, count_name, sum_name, hourly in WINDOWS:
        count, total = 0.0, 0.0
        tiles, before = (hours.get(kind), before_hours) if hourly else (days.get(kind), before_days)
        if tiles:
            for slot, (number, amount) in tiles.items():
                if slot > before:
                    count += number
                    total += amount
        found[count_name] = count
        found[sum_name] = total
    for kind, name in SINCE:
        if kind in customer.seen:
            found[name] = (clock - customer.seen[kind]) / DAY_MS
    return found
