"""The sum of a field in a window."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from dataclasses import field as default

from streams.features.columns import SUM, Column
from streams.features.feature import Total
from streams.features.fields import Events, Problem, amount_problems
from streams.features.filters import Where


@dataclass(frozen=True)
class Sum(Total):
    """Sum of a numeric field in a window, times `scale` (cents to euros: 0.01); 0 when there are no events. Integers
    are summed exactly."""

    name: str
    of: str | tuple[str, ...]
    field: str
    over: str | None = None
    where: Where = default(default_factory=dict)
    scale: float = 1.0

    @property
    def factor(self) -> float:
        """See Total."""
        return float(self.scale)

    def columns(self) -> tuple[Column, ...]:
        """See Windowed."""
        return (Column(SUM, self.field),)

    def own_problems(self, place: str, of: Sequence[str], events: Events) -> Iterator[Problem]:
        """See OfEvents."""
        return amount_problems(events, place, of, self.field, self.scale, "Sum")
