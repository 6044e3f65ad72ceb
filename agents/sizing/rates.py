"""Computes the records per second that a load makes at each place."""

from dataclasses import dataclass

from agents.sizing.load import Load, TargetLoad
from streams.features.customer_state import KEPT
from streams.targets.observations import MOST_OPEN

DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class TargetRates:
    """Rates of a target, per second: questions by events and by schedule, examples, and versions of each arm."""

    target: TargetLoad
    by_events: float
    by_schedule: float

    @property
    def questions(self) -> float:
        """Predictions per second."""
        return self.by_events + self.by_schedule

    @property
    def examples(self) -> float:
        """Labelled examples per second. In the long run every observed question is settled once."""
        return self.questions * self.target.observe

    @property
    def versions(self) -> float:
        """Versions per second of each arm."""
        return self.examples / self.target.serve_every

    @property
    def answers(self) -> float:
        """Answers per second."""
        return self.questions * len(self.target.arms)


@dataclass(frozen=True, slots=True)
class Rates:
    """Rates of a load, per second."""

    events: float
    targets: tuple[TargetRates, ...]

    @property
    def questions(self) -> float:
        """Predictions per second."""
        return sum(t.questions for t in self.targets)

    @property
    def examples(self) -> float:
        """Labelled examples per second."""
        return sum(t.examples for t in self.targets)

    @property
    def touches(self) -> float:
        """The maximum number of customers read and committed per second: by events, schedules and horizons that close.

        The cache saves reads, and a slice commits a customer once however many events it has. An estimate that counts
        on neither is on the safe side."""
        return self.events + sum(t.by_schedule + t.examples for t in self.targets)

    @property
    def versions(self) -> float:
        """Versions served per second, over all arms: each is one switch to every partition."""
        return sum(t.versions * len(t.target.arms) for t in self.targets)


def rates(load: Load, peak: bool = False) -> Rates:
    """Return the mean rates, or those at the peak. Schedules have no peak: customers are spread over the period."""
    events = load.events_per_s * (load.peak_factor if peak else 1.0)
    return Rates(events, tuple(_target(load, target, events) for target in load.targets))


def _target(load: Load, target: TargetLoad, events: float) -> TargetRates:
    scheduled = load.customers * (load.active_share if target.only_active else 1.0)
    by_schedule = scheduled * target.questions_per_customer_day / DAY_S
    return TargetRates(target, events * target.questions_per_event, by_schedule)


def open_observations(load: Load, of: TargetRates) -> float:
    """Return the open observations: the questions of one horizon (Little's law), and at most 1,000 per customer."""
    return min(of.examples * of.target.horizon_days * DAY_S, MOST_OPEN * load.customers)


def digests(load: Load) -> float:
    """Return the remembered event ids per customer."""
    return min(load.events_per_s * DAY_S * load.customer_days / load.customers, KEPT)
