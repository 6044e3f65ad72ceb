"""The smallest and the largest value of a field in a window."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from dataclasses import field as default
from math import nan
from typing import Any

from streams.features.columns import MAX, MIN, Column
from streams.features.feature import Aggregate, ReadTiles, Tiles, finite
from streams.features.fields import Events, Problem, amount_problems
from streams.features.filters import Where


@dataclass(frozen=True)
class Min(Aggregate):
    """Smallest value of a numeric field in a window, times `scale`."""

    name: str
    of: str | tuple[str, ...]
    field: str
    over: str | None = None
    where: Where = default(default_factory=dict)
    scale: float = 1.0

    def columns(self) -> tuple[Column, ...]:
        """See Windowed."""
        return (Column(MIN, self.field),)

    def own_problems(self, place: str, of: Sequence[str], events: Events) -> Iterator[Problem]:
        """See OfEvents."""
        return amount_problems(events, place, of, self.field, self.scale, "Min")

    def reader(self, positions: Sequence[int]) -> ReadTiles:
        """See Aggregate."""
        return _extreme(min, positions[0], float(self.scale))


@dataclass(frozen=True)
class Max(Aggregate):
    """Largest value of a numeric field in a window, times `scale`."""

    name: str
    of: str | tuple[str, ...]
    field: str
    over: str | None = None
    where: Where = default(default_factory=dict)
    scale: float = 1.0

    def columns(self) -> tuple[Column, ...]:
        """See Windowed."""
        return (Column(MAX, self.field),)

    def own_problems(self, place: str, of: Sequence[str], events: Events) -> Iterator[Problem]:
        """See OfEvents."""
        return amount_problems(events, place, of, self.field, self.scale, "Max")

    def reader(self, positions: Sequence[int]) -> ReadTiles:
        """See Aggregate."""
        return _extreme(max, positions[0], float(self.scale))


def _extreme(best: Callable[..., Any], at: int, scale: float) -> ReadTiles:
    def read(tiles: Tiles, clock: int) -> float:
        value = best((tile[at] for tile in tiles if tile[at] is not None), default=nan)
        return finite(value * scale)

    return read
