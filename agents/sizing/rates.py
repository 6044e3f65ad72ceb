"""How many records per second a load makes at each place."""

from dataclasses import dataclass

from agents.sizing.load import Load, TargetLoad
from streams.features.customer_state import KEPT
from streams.targets.observations import MOST_OPEN

DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class TargetRates:
    """Per second: questions by events, by schedule, and the examples that follow; versions of each arm."""

    target: TargetLoad
    by_events: float
    by_schedule: float

    @property
    def questions(self) -> float:
        """Predictions per second."""
        return self.by_events + self.by_schedule

    @property
    def examples(self) -> float:
        """Labelled examples per second: in the long run every observed question is settled once."""
        return self.questions * self.target.observe

    @property
    def versions(self) -> float:
        """Versions per second of each of its arms."""
        return self.examples / self.target.serve_every

    @property
    def answers(self) -> float:
        """Answers per second."""
        return self.questions * len(self.target.arms)


@dataclass(frozen=True, slots=True)
class Rates:
    """Per second."""

    events: float
    targets: tuple[TargetRates, ...]

    @property
    def questions(self) -> float:
        """Predictions."""
        return sum(t.questions for t in self.targets)

    @property
    def examples(self) -> float:
        """Labelled examples."""
        return sum(t.examples for t in self.targets)

    @property
    def touches(self) -> float:
        """Customers read and committed, at most: by an event, by a schedule, by a horizon that closes. (The cache saves
        reads, and a slice commits a customer once however many events it has; an estimate that counts on neither is
        safe.)"""
        return self.events + sum(t.by_schedule + t.examples for t in self.targets)

    @property
    def versions(self) -> float:
        """Versions served, over all arms: one switch each to every partition."""
        return sum(t.versions * len(t.target.arms) for t in self.targets)


def rates(load: Load, peak: bool = False) -> Rates:
    """Means, or those of the peak. Schedules know no peak: customers are spread over the period."""
    events = load.events_per_s * (load.peak_factor if peak else 1.0)
    return Rates(events, tuple(_target(load, target, events) for target in load.targets))


def _target(load: Load, target: TargetLoad, events: float) -> TargetRates:
    scheduled = load.customers * (load.active_share if target.only_active else 1.0)
    by_schedule = scheduled * target.questions_per_customer_day / DAY_S
    return TargetRates(target, events * target.questions_per_event, by_schedule)


def open_observations(load: Load, of: TargetRates) -> float:
    """Waiting for their outcome: at most the questions of one horizon (Little's law), and those a customer may have."""
    return min(of.examples * of.target.horizon_days * DAY_S, MOST_OPEN * load.customers)


def digests(load: Load) -> float:
    """Remembered event ids per customer."""
    return min(load.events_per_s * DAY_S * load.customer_days / load.customers, KEPT)
