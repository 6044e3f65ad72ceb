"""Every kind of outcome that a target can declare, one line each: docs/contributing/add-an-outcome.md.

A line is all the registration there is: checking, `tidecast check`, the plan, `tidecast size` and the tests of every
outcome read OUTCOMES, and streams.usecases exports each name."""

from streams.targets.outcome import Outcome
from streams.targets.outcomes.absence_of import AbsenceOf as AbsenceOf
from streams.targets.outcomes.amount_over import AmountOver as AmountOver
from streams.targets.outcomes.count_over import CountOver as CountOver
from streams.targets.outcomes.event_within import EventWithin as EventWithin
from streams.targets.outcomes.explicit_outcome import ExplicitOutcome as ExplicitOutcome

OUTCOMES: dict[str, type[Outcome]] = {
    name: each
    for name, each in dict(vars()).items()
    if isinstance(each, type) and issubclass(each, Outcome) and each is not Outcome
}
"""Name → declaration."""
