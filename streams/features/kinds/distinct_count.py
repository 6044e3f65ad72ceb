"""The number of different values of a field in a window."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from dataclasses import field as default

from streams.features import distinct
from streams.features.columns import DISTINCT, Column
from streams.features.feature import Aggregate, ReadTiles
from streams.features.fields import VALUES, Events, Problem, field_problems, number_problem
from streams.features.filters import Where

MOST_KEPT = 1_000


@dataclass(frozen=True)
class DistinctCount(Aggregate):
    """Number of different values of a field in a window; 0 when there are none.

    It is exact while no tile holds more than `cap` values. Beyond that it is an estimate with a relative standard error
    of about 1 / sqrt(cap - 1) (streams/features/distinct)."""

    name: str
    of: str | tuple[str, ...]
    field: str
    over: str | None = None
    cap: int = 64
    where: Where = default(default_factory=dict)

    unseen = 0.0

    def columns(self) -> tuple[Column, ...]:
        """See Windowed."""
        return (Column(DISTINCT, self.field, self.cap),)

    def own_problems(self, place: str, of: Sequence[str], events: Events) -> Iterator[Problem]:
        """See OfEvents."""
        yield from field_problems(events, place, of, self.field, VALUES, "values cannot be told apart")
        wrong = number_problem(self.cap, 2, MOST_KEPT, whole=True)
        if wrong:
            yield Problem(place, "cap", wrong)

    def reader(self, positions: Sequence[int]) -> ReadTiles:
        """See Aggregate."""
        at, cap = positions[0], self.cap
        return lambda tiles, clock: distinct.count([tile[at] for tile in tiles if tile[at] is not None], cap)
