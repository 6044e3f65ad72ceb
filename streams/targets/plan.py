"""Compiles a target's declaration: what asks it, when, and what settles it."""

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
"""The due time of a schedule that has ended for good."""


def stable_hash(*parts: str) -> int:
    """Return 64 bits of BLAKE2b over the parts, the same on every machine."""
    return int.from_bytes(blake2b("\0".join(parts).encode(), digest_size=8).digest(), "little")


class TargetPlan:
    """A compiled target, for scoring. All times are ms."""

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
        """Return this target's features out of all features."""
        return features if self.columns is None else [features[i] for i in self.columns]

    def observes(self, prediction_id: str) -> bool:
        """Return whether this question belongs to the declared share that is observed."""
        return self.observed_below >= 2**64 or stable_hash(self.name, prediction_id) < self.observed_below

    def next_due(self, customer: str, after: int) -> int:
        """Return the customer's first schedule time after `after`. Customers are spread over the period."""
        assert self.period is not None
        phase = stable_hash(customer, self.name) % self.period
        return after + self.period - (after - phase) % self.period

    def schedule(self, state: CustomerState, customer: str, event: str) -> None:
        """Start the customer's schedule after an event, or end it for good after an event in `until`."""
        if self.period is None:
            return
        if event in self.until:
            state.due[self.index] = NEVER
        elif self.index not in state.due:
            state.due[self.index] = self.next_due(customer, state.clock)

    def reschedule(self, state: CustomerState, customer: str, due: int, idle: int = 0) -> bool:
        """Set the next timer when the one at `due` fires. `idle`: time since the last event that does not count, ms.

        Returns False when the customer has been silent for too long to be asked. The next event starts the schedule
        again."""
        if self.while_active is not None and due - state.clock - idle > self.while_active:
            del state.due[self.index]
            return False
        state.due[self.index] = self.next_due(customer, due)
        return True

    def skip_missed(self, state: CustomerState, tick: int, most: int, idle: int = 0) -> int:
        """Keep the `most` latest schedule times up to the tick; return how many were skipped."""
        assert self.period is not None
        end = tick if self.while_active is None else min(tick, state.clock + idle + self.while_active)
        left_out = max(0, (end - state.due[self.index]) // self.period + 1 - most)
        state.due[self.index] += left_out * self.period
        return left_out

    def concerns(self, event: str, record: Event) -> bool:
        """Return whether the outcome concerns such an event."""
        return event == self.event and self.matches(record)

    def take_event(self, record: Event, moment: int, observation: Observation) -> bool:
        """Note an event in an observation if it lies within its horizon; return whether it does."""
        assert self._take is not None
        if not observation.spans(moment):
            return False
        self._take(observation, record, moment)
        return True
