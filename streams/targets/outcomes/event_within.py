"""An outcome: something happens."""

from dataclasses import dataclass
from dataclasses import field as default

from streams.features.filters import Where
from streams.targets.outcome import Occurrence, Settle


@dataclass(frozen=True)
class EventWithin(Occurrence):
    """1 when such an event follows within the horizon (asked_at < occurred_at <= asked_at + over), else 0.

    event: short name of the event.
    over: length of the horizon, such as "30d".
    where: conditions that the event must fit.
    settle: "at_horizon" settles both labels when the horizon closes. "at_once" settles 1 when the event arrives, weeks
    before any 0, and models then overestimate the event."""

    event: str
    over: str
    where: Where = default(default_factory=dict)
    settle: Settle = "at_horizon"

    label = 1.0
