"""An outcome: something does not happen."""

from dataclasses import dataclass
from dataclasses import field as default

from streams.features.filters import Where
from streams.targets.outcome import Occurrence, Settle


@dataclass(frozen=True)
class AbsenceOf(Occurrence):
    """1 when no such event follows within the horizon, else 0.

    event, over, where: as for EventWithin.
    settle: "at_horizon" settles both labels when the horizon closes. "at_once" settles 0 when the event arrives, weeks
    before any 1, and models then underestimate the absence."""

    event: str
    over: str
    where: Where = default(default_factory=dict)
    settle: Settle = "at_horizon"

    label = 0.0
