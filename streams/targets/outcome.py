"""Defines what an outcome is: how the label of a question becomes known.

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
"""When a label that is known before the horizon closes is settled.

With "at_horizon", the default, both labels are equally late. "at_once" is sooner for one of them: a model learns "it
happened" weeks before "it did not", and overestimates the event (delayed feedback: Chapelle, KDD 2014). It suits a
horizon that is short beside the time over which customers change."""

Label = tuple[float, int, str]
"""(label, time of the outcome in ms, what settled it: event, absence, amount or default)."""


class Outcome(ABC):
    """How a label becomes known. A kind is a frozen dataclass; its name is part of definitions and never changes."""

    fits: ClassVar[tuple[Kind, ...]]
    """The kinds of target that its labels fit."""

    @property
    @abstractmethod
    def horizon(self) -> str | None:
        """The horizon: how long after the question something counts, such as "30d"; None is for ever."""

    @abstractmethod
    def problems(self, place: str, kind: Kind, events: Events) -> Iterator[Problem]:
        """Return what is wrong with its settings in a target of that kind; `place` names the target."""

    def cautions(self) -> Iterator[tuple[str, str]]:
        """Return what is valid in its settings and will mislead: (setting, sentence with the remedy)."""
        return iter(())

    @abstractmethod
    def label_on_close(self, observation: Observation) -> Label | None:
        """Return the label when the horizon closes and nothing has settled the question; None makes no example."""


class EventOutcome(Outcome):
    """An outcome that follows from events within a horizon: asked_at < occurred_at <= asked_at + over."""

    event: str
    over: str
    where: Where

    @property
    def label_at_once(self) -> float | None:
        """Return the label that such an event settles at once; None where it does not settle the question."""
        return None

    @property
    def horizon(self) -> str:
        """See Outcome."""
        return self.over

    @abstractmethod
    def take(self, observation: Observation, record: Event, moment: int) -> None:
        """Note in an observation what such an event at that time (ms) adds to the outcome. Events come in any order."""

    def problems(self, place: str, kind: Kind, events: Events) -> Iterator[Problem]:
        """See Outcome."""
        wrong = duration_problem(self.over)
        if wrong:
            yield Problem(place, "outcome.over", f"it is the horizon: {wrong}")
        yield from event_problems(events, place, "outcome.event", (self.event,))
        yield from where_problems(events, place, (self.event,), self.where)
        yield from self.own_problems(place, events)

    def own_problems(self, place: str, events: Events) -> Iterator[Problem]:
        """Return what is wrong with the settings of this kind."""
        return iter(())


class Occurrence(EventOutcome):
    """An outcome by whether an event follows. `label`: the label of its occurrence; its absence has the other."""

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

    def cautions(self) -> Iterator[tuple[str, str]]:
        """See Outcome."""
        if self.settle == "at_once":
            text = (
                "one label is learnt when the event arrives and the other only when the horizon closes, so that models "
                'overestimate the event; leave settle out, or write settle="at_horizon".'
            )
            yield "outcome.settle", text

    def own_problems(self, place: str, events: Events) -> Iterator[Problem]:
        """See EventOutcome."""
        if self.settle not in ("at_once", "at_horizon"):
            yield Problem(place, "outcome.settle", f"{self.settle!r} is neither 'at_once' nor 'at_horizon'.")
