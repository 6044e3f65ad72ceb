"""How long ago the first event was."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from dataclasses import field as default
from math import nan
from typing import Literal

from streams.features.columns import MIN, Column
from streams.features.feature import Aggregate, ReadTiles
from streams.features.fields import Events, Problem, unit_problems
from streams.features.filters import Where
from streams.features.window import UNITS


@dataclass(frozen=True)
class TimeSinceFirst(Aggregate):
    """Time from the earliest such event in a window to the customer's clock, in `unit`s of s, m, h, d or w: over all
    time, how long somebody has been a customer."""

    name: str
    of: str | tuple[str, ...]
    unit: Literal["s", "m", "h", "d", "w"] = "d"
    over: str | None = None
    where: Where = default(default_factory=dict)

    def columns(self) -> tuple[Column, ...]:
        """See Windowed."""
        return (Column(MIN, "occurred_at"),)

    def own_problems(self, place: str, of: Sequence[str], events: Events) -> Iterator[Problem]:
        """See OfEvents."""
        return unit_problems(place, self.unit)

    def reader(self, positions: Sequence[int]) -> ReadTiles:
        """See Aggregate."""
        at, unit = positions[0], UNITS[self.unit]
        return lambda tiles, clock: (clock - min((tile[at] for tile in tiles), default=nan)) / unit
