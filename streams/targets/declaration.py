"""Targets as a use case declares them: what asks, how the outcome becomes known, which arms answer."""

from dataclasses import dataclass
from dataclasses import field as default
from typing import Literal

from streams.features.filters import Where
from streams.models.arms import Arm


@dataclass(frozen=True)
class Ask:
    """When a customer's question is asked.

    on: events that ask. every: a schedule per customer from the first event on, such as "30d".
    while_active: the schedule rests when the customer's last event is older than this, until the next event.
    until: events after which the schedule stops for good."""

    on: tuple[str, ...] = ()
    every: str | None = None
    while_active: str | None = None
    until: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("on", "until"):
            given = getattr(self, name)
            object.__setattr__(self, name, (given,) if isinstance(given, str) else tuple(given))


Settle = Literal["at_once", "at_horizon"]
"""When a label is told that is known before the horizon closes. At once is sooner; at the horizon both labels
come equally late, else a model hears "it happened" weeks before "it did not" and believes that it always happens
(delayed feedback: Chapelle, KDD 2014)."""


@dataclass(frozen=True)
class EventWithin:
    """1 when such an event follows within the horizon (asked_at < occurred_at <= asked_at + over), else 0."""

    event: str
    over: str
    where: Where = default(default_factory=dict)
    settle: Settle = "at_once"


@dataclass(frozen=True)
class AbsenceOf:
    """1 when no such event follows within the horizon, else 0."""

    event: str
    over: str
    where: Where = default(default_factory=dict)
    settle: Settle = "at_once"


@dataclass(frozen=True)
class AmountOver:
    """Sum of a numeric field of such events within the horizon, times `scale`."""

    event: str
    field: str
    over: str
    where: Where = default(default_factory=dict)
    scale: float = 1.0


@dataclass(frozen=True)
class ExplicitOutcome:
    """Told by a tidecast.Outcome record. `within`: how long to wait for it, None for ever; `default`: the
    label when it did not come in time, None drops the question."""

    within: str | None = None
    default: float | None = None


Outcome = EventWithin | AbsenceOf | AmountOver | ExplicitOutcome


@dataclass(frozen=True)
class Target:
    """A question that models learn to answer.

    kind: "binary" (probability of 1) or "regression" (an amount). features: names of those it sees, None for
    all in declared order. observe: share of the questions, 0 to 1, whose outcome is waited for. serve_every:
    labelled examples from one served version to the next. alert_delta: ADWIN's confidence for loss alerts.
    learn_corrections: how long after its outcome a question may be corrected, such as "30d"; what a later outcome
    that names its prediction says otherwise is then learnt as one more example. None: it is only kept."""

    name: str
    ask: Ask
    outcome: Outcome
    arms: tuple[Arm, ...]
    kind: Literal["binary", "regression"] = "binary"
    features: tuple[str, ...] | None = None
    observe: float = 1.0
    serve_every: int = 100
    alert_delta: float = 0.002
    learn_corrections: str | None = None
