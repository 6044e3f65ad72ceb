"""An outcome: how often something happens."""

from dataclasses import dataclass
from dataclasses import field as default

from schemas.catalog import Event
from streams.features.filters import Where
from streams.targets.observations import Observation
from streams.targets.outcome import EventOutcome, Label


@dataclass(frozen=True)
class CountOver(EventOutcome):
    """Number of such events within the horizon (asked_at < occurred_at <= asked_at + over)."""

    event: str
    over: str
    where: Where = default(default_factory=dict)

    fits = ("regression",)

    def take(self, observation: Observation, record: Event, moment: int) -> None:
        """See EventOutcome."""
        observation.amount += 1

    def label_on_close(self, observation: Observation) -> Label:
        """See Outcome."""
        assert observation.end is not None
        return float(observation.amount), observation.end, "amount"
