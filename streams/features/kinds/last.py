"""The latest value of a field."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from dataclasses import field as default
from math import nan

from streams.features.feature import Latest, ReadRegister, finite
from streams.features.fields import Events, Problem, amount_problems
from streams.features.filters import Where
from streams.features.window import window


@dataclass(frozen=True)
class Last(Latest):
    """Latest value of a numeric field, times `scale`; unknown when it is older than the window."""

    name: str
    of: str | tuple[str, ...]
    field: str
    over: str | None = None
    where: Where = default(default_factory=dict)
    scale: float = 1.0

    @property
    def kept(self) -> str:
        """See Latest."""
        return self.field

    def own_problems(self, place: str, of: Sequence[str], events: Events) -> Iterator[Problem]:
        """See OfEvents."""
        return amount_problems(events, place, of, self.field, self.scale, "Last")

    def reader(self) -> ReadRegister:
        """See Latest."""
        tiles, width = window(self.over)
        scale = float(self.scale)
        return lambda register, clock: (
            finite(register[1] * scale) if register[0] // width > clock // width - tiles else nan
        )
