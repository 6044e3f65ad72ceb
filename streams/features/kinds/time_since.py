"""The time since the latest event."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from dataclasses import field as default
from typing import Literal

from streams.features.feature import Latest, ReadRegister
from streams.features.fields import Events, Problem, unit_problems
from streams.features.filters import Where
from streams.features.window import UNITS


@dataclass(frozen=True)
class TimeSince(Latest):
    """Time from the latest such event to the customer's clock, in `unit`s of s, m, h, d or w."""

    name: str
    of: str | tuple[str, ...]
    unit: Literal["s", "m", "h", "d", "w"] = "d"
    where: Where = default(default_factory=dict)

    kept = None

    def own_problems(self, place: str, of: Sequence[str], events: Events) -> Iterator[Problem]:
        """See OfEvents."""
        return unit_problems(place, self.unit)

    def reader(self) -> ReadRegister:
        """See Latest."""
        unit = UNITS[self.unit]
        return lambda register, clock: (clock - register[0]) / unit
