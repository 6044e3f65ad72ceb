"""Events in a window."""

from dataclasses import dataclass
from dataclasses import field as default

from streams.features.columns import COUNT, Column
from streams.features.feature import Total
from streams.features.filters import Where


@dataclass(frozen=True)
class Count(Total):
    """Number of events in a window; 0 when there are none."""

    name: str
    of: str | tuple[str, ...]
    over: str | None = None
    where: Where = default(default_factory=dict)

    factor = 1.0

    def columns(self) -> tuple[Column, ...]:
        """See Windowed."""
        return (Column(COUNT),)
