"""What an outcome is: how the label of a question becomes known.

A kind of outcome has one file in streams/targets/outcomes and one line in streams/targets/registry."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import ClassVar, Literal

from schemas.catalog import Event
from streams.features.fields import Events, Problem, duration_problem, event_problems, where_problems
from streams.features.filters import Where
from streams.models.declaration import Kind
from streams.targets.observations import Observation

Settle = Literal["at_once", "at_horizon"]
"""When a label is told that is known before the horizon closes. At once is sooner; at the horizon both labels
come equally late, else a model hears "it happened" weeks before "it did not" and believes that it always happens
(delayed feedback: Chapelle, KDD 2014)."""

Label = tuple[float, int, str]
"""Label, time of the outcome in ms, and what settled it: event, absence, amount or default."""


class Outcome(ABC):
    """How a label becomes known. Each kind is a frozen dataclass; its name is part of definitions and never changes."""

    fits: ClassVar[tuple[Kind, ...]]
    """The kinds of target that its labels are for."""

    @property
    @abstractmethod
    def horizon(self) -> str | None:
        """How long after the question something is part of the outcome, such as "30d"; None is for ever."""

    @abstractmethod
    def problems(self, place: str, kind: Kind, events: Events) -> Iterator[Problem]:
        """What is wrong with its settings in a target of that kind; `place` names the target."""

    @abstractmethod
    def label_on_close(self, observation: Observation) -> Label | None:
        """The label when the horizon closes, where nothing has settled the question before; None leaves no example."""


class EventOutcome(Outcome):
    """Known by the events that follow within a horizon: asked_at < occurred_at <= asked_at + over."""

    event: str
    over: str
    where: Where

    @property
    def label_at_once(self) -> float | None:
        """The label that such an event tells at once; None where it does not settle the question."""
        return None

    @property
    def horizon(self) -> str:
        """See Outcome."""
        return self.over

    @abstractmethod
    def take(self, observation: Observation, record: Event, moment: int) -> None:
        """Keep in an observation what such an event at that time, in ms, adds to the outcome. Events come in any
        order."""

    def problems(self, place: str, kind: Kind, events: Events) -> Iterator[Problem]:
        """See Outcome."""
        wrong = duration_problem(self.over)
        if wrong:
            yield Problem(place, "outcome.over", f"it is the horizon: {wrong}")
        yield from event_problems(events, place, "outcome.event", (self.event,))
        yield from where_problems(events, place, (self.event,), self.where)
        yield from self.own_problems(place, events)

    def own_problems(self, place: str, events: Events) -> Iterator[Problem]:
        """What is wrong with the settings that only this kind has."""
        return iter(())


class Occurrence(EventOutcome):
    """Whether such an event follows. `label` is what its occurrence means, the other one what its absence means."""

    settle: Settle
    label: ClassVar[float]
    fits = ("binary",)

    @property
    def label_at_once(self) -> float | None:
        """See EventOutcome."""
        return self.label if self.settle == "at_once" else None

    def take(self, observation: Observation, record: Event, moment: int) -> None:
        """See EventOutcome."""
        if observation.happened_at is None or moment < observation.happened_at:
            observation.happened_at = moment

    def label_on_close(self, observation: Observation) -> Label:
        """See Outcome."""
        happened = observation.happened_at
        if happened is not None:
            return self.label, happened, "event"
        assert observation.end is not None
        return 1.0 - self.label, observation.end, "absence"

    def own_problems(self, place: str, events: Events) -> Iterator[Problem]:
        """See EventOutcome."""
        if self.settle not in ("at_once", "at_horizon"):
            yield Problem(place, "outcome.settle", f"{self.settle!r} is neither 'at_once' nor 'at_horizon'.")
