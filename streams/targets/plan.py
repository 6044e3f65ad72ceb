"""A target's declaration, compiled: who asks it, when, and what settles it."""

from collections.abc import Callable, Sequence
from hashlib import blake2b

from schemas.catalog import Event
from streams.features.customer_state import CustomerState
from streams.features.filters import Matches, compile_where
from streams.features.window import duration_ms
from streams.targets.declaration import Target
from streams.targets.observations import Observation
from streams.targets.outcome import EventOutcome

NEVER = 1 << 62
"""A schedule's due time once it has ended for good."""


def stable_hash(*parts: str) -> int:
    """64 bits of BLAKE2b over the parts: the same on every machine and Python."""
    return int.from_bytes(blake2b("\0".join(parts).encode(), digest_size=8).digest(), "little")


class TargetPlan:
    """What scoring asks of one target. All times are ms."""

    def __init__(self, index: int, target: Target, names: Sequence[str]) -> None:
        self.index = index
        self.name = target.name
        self.kind = target.kind
        self.arms = target.arms
        self.serving_keys = tuple(f"{target.name}/{arm.name}" for arm in target.arms)
        self.champion = next(i for i, arm in enumerate(target.arms) if arm.role == "champion")
        self.names = tuple(target.features) if target.features is not None else tuple(names)
        self.columns = None if target.features is None else [names.index(name) for name in target.features]
        ask = target.ask
        self.on = frozenset(ask.on)
        self.until = frozenset(ask.until)
        self.period = duration_ms(ask.every) if ask.every else None
        self.while_active = duration_ms(ask.while_active) if ask.while_active else None
        self.observed_below: int = round(target.observe * 2**64)
        self.correctable = duration_ms(target.learn_corrections) if target.learn_corrections else None
        outcome = target.outcome
        self.horizon = duration_ms(outcome.horizon) if outcome.horizon else None
        self.label_on_close = outcome.label_on_close
        self.label_at_once: float | None = None
        self.event: str | None = None
        self.matches: Matches = lambda record: True
        self._take: Callable[[Observation, Event, int], None] | None = None
        if isinstance(outcome, EventOutcome):
            self.event, self._take, self.label_at_once = outcome.event, outcome.take, outcome.label_at_once
            if outcome.where:
                self.matches = compile_where(outcome.where)

    def vector(self, features: list[float]) -> list[float]:
        """This target's own features out of all of them."""
        return features if self.columns is None else [features[i] for i in self.columns]

    def observes(self, prediction_id: str) -> bool:
        """Whether this question is among the declared share that waits for an outcome."""
        return self.observed_below >= 2**64 or stable_hash(self.name, prediction_id) < self.observed_below

    def next_due(self, customer: str, after: int) -> int:
        """The customer's first schedule time strictly later than `after`; customers are spread over the period."""
        assert self.period is not None
        phase = stable_hash(customer, self.name) % self.period
        return after + self.period - (after - phase) % self.period

    def schedule(self, state: CustomerState, customer: str, event: str) -> None:
        """After an event: start the customer's schedule, or end it for good where the target says so."""
        if self.period is None:
            return
        if event in self.until:
            state.due[self.index] = NEVER
        elif self.index not in state.due:
            state.due[self.index] = self.next_due(customer, state.clock)

    def reschedule(self, state: CustomerState, customer: str, due: int) -> bool:
        """When the timer at `due` fires: set the next one; False when the customer has been silent too long
        to be asked (the next event starts the schedule again)."""
        if self.while_active is not None and due - state.clock > self.while_active:
            del state.due[self.index]
            return False
        state.due[self.index] = self.next_due(customer, due)
        return True

    def skip_missed(self, state: CustomerState, tick: int, most: int) -> int:
        """Of the schedule's times from the next one to the tick, leave the `most` latest; how many were left out."""
        assert self.period is not None
        end = tick if self.while_active is None else min(tick, state.clock + self.while_active)
        left_out = max(0, (end - state.due[self.index]) // self.period + 1 - most)
        state.due[self.index] += left_out * self.period
        return left_out

    def concerns(self, event: str, record: Event) -> bool:
        """Whether the outcome is about such an event."""
        return event == self.event and self.matches(record)

    def take_event(self, record: Event, moment: int, observation: Observation) -> bool:
        """Note an event that the outcome is about in an observation, if it is of its time; whether it is."""
        assert self._take is not None
        if not observation.spans(moment):
            return False
        self._take(observation, record, moment)
        return True
