"""Targets as a use case declares them: what asks, how the outcome becomes known, which arms answer."""

from dataclasses import dataclass

from streams.models.arms import Arm
from streams.models.declaration import Kind
from streams.targets.outcome import Outcome


@dataclass(frozen=True)
class Ask:
    """When a customer's question is asked.

    on: events that ask.
    every: period of a schedule per customer, such as "30d". It begins with the customer's first event.
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


@dataclass(frozen=True)
class Target:
    """A question that models learn to answer.

    name: name of the target.
    ask: when the question is asked.
    outcome: how the label becomes known.
    arms: the models that answer. Exactly one is the champion.
    kind: "binary" (the answer is the probability of 1) or "regression" (the answer is an amount).
    features: names of the features that it sees; None for all, in declared order.
    observe: share of the questions, 0 to 1, whose outcome is waited for.
    serve_every: number of labelled examples from one served version to the next.
    alert_delta: ADWIN's confidence for loss alerts. Smaller means fewer false alarms.
    learn_corrections: how long after its outcome a question may be corrected, such as "30d". A later outcome that names
    its prediction and differs is then learnt as one more example. None: it is only kept."""

    name: str
    ask: Ask
    outcome: Outcome
    arms: tuple[Arm, ...]
    kind: Kind = "binary"
    features: tuple[str, ...] | None = None
    observe: float = 1.0
    serve_every: int = 100
    alert_delta: float = 0.002
    learn_corrections: str | None = None
