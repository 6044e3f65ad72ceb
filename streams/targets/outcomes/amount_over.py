"""An outcome: the sum of a field over the events within a horizon."""

from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field as default

from schemas.catalog import Event
from streams.features.fields import NUMBERS, Events, Problem, field_problems, number_problem
from streams.features.filters import Where
from streams.features.plan import INT64
from streams.targets.observations import Observation
from streams.targets.outcome import EventOutcome, Label


@dataclass(frozen=True)
class AmountOver(EventOutcome):
    """Sum of a numeric field of such events within the horizon, times `scale`."""

    event: str
    field: str
    over: str
    where: Where = default(default_factory=dict)
    scale: float = 1.0

    fits = ("regression",)

    def take(self, observation: Observation, record: Event, moment: int) -> None:
        """See EventOutcome. Integers are summed exactly as long as they fit 64 bits."""
        total = observation.amount + (record[self.field] or 0)
        observation.amount = total if -INT64 <= total < INT64 else float(total)

    def label_on_close(self, observation: Observation) -> Label:
        """See Outcome."""
        assert observation.end is not None
        return float(observation.amount * self.scale), observation.end, "amount"

    def own_problems(self, place: str, events: Events) -> Iterator[Problem]:
        """See EventOutcome."""
        use = "and AmountOver needs a number"
        yield from field_problems(events, place, (self.event,), self.field, NUMBERS, use)
        wrong = number_problem(self.scale, -1e9, 1e9)
        if wrong:
            yield Problem(place, "outcome.scale", wrong)
