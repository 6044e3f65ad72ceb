"""The mean of a field in a window."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from dataclasses import field as default
from math import nan

from streams.features.columns import SUM, VALUES, Column
from streams.features.feature import Aggregate, ReadTiles, Tiles, finite
from streams.features.fields import Events, Problem, amount_problems
from streams.features.filters import Where


@dataclass(frozen=True)
class Mean(Aggregate):
    """Mean of a numeric field in a window, times `scale`."""

    name: str
    of: str | tuple[str, ...]
    field: str
    over: str | None = None
    where: Where = default(default_factory=dict)
    scale: float = 1.0

    def columns(self) -> tuple[Column, ...]:
        """See Windowed."""
        return Column(SUM, self.field), Column(VALUES, self.field)

    def own_problems(self, place: str, of: Sequence[str], events: Events) -> Iterator[Problem]:
        """See OfEvents."""
        return amount_problems(events, place, of, self.field, self.scale, "Mean")

    def reader(self, positions: Sequence[int]) -> ReadTiles:
        """See Aggregate."""
        total_at, values_at = positions
        scale = float(self.scale)

        def read(tiles: Tiles, clock: int) -> float:
            total = values = 0
            for tile in tiles:
                total += tile[total_at]
                values += tile[values_at]
            return finite(total / values * scale) if values else nan

        return read
