"""The scenarios: what can happen to a stream of events, as data."""

from dataclasses import dataclass
from typing import Literal

Drift = Literal["", "sudden", "gradual", "recurring"]


@dataclass(frozen=True)
class Scenario:
    """One kind of load. Numbers are shares of the events unless stated; times are shares of the run, 0 to 1.

    load: (time, factor of the rate), joined by straight lines. skew: Zipf exponent of the customers' rates. hot: of
    one customer. disordered: up to ten minutes late, within the lateness that use cases allow. late: three to ten
    days late. duplicates: published twice. malformed: not Avro. rings: share of customers in fraud rings. drift: how
    the reasons to fade are reversed from the middle of the run. outage: from, to; nothing is published, and
    everything afterwards. new_schema_at: from then on events have one more field."""

    about: str
    load: tuple[tuple[float, float], ...] = ((0.0, 1.0),)
    skew: float = 0.8
    hot: float = 0.0
    disordered: float = 0.05
    late: float = 0.0
    duplicates: float = 0.0
    malformed: float = 0.0
    rings: float = 0.0
    drift: Drift = ""
    outage: tuple[float, float] | None = None
    new_schema_at: float | None = None


SCENARIOS = {
    "steady": Scenario("the same rate all the time"),
    "rush-hour": Scenario("three times the rate in the middle third", ((0.3, 1.0), (0.4, 3.0), (0.6, 3.0), (0.7, 1.0))),
    "flash-sale": Scenario("ten times the rate at once, fading away", ((0.4, 1.0), (0.4, 10.0), (0.6, 1.0))),
    "hot-customer": Scenario("one customer does a fifth of all", hot=0.2),
    "skewed": Scenario("few customers do most", skew=1.3),
    "late": Scenario("every tenth event minutes late, every fiftieth days", disordered=0.1, late=0.02),
    "duplicates": Scenario("every tenth event twice", duplicates=0.1),
    "malformed": Scenario("every twentieth record is none", malformed=0.05),
    "fraud": Scenario("one customer in a hundred belongs to a ring", rings=0.01),
    "drift-sudden": Scenario("from the middle on other customers fade", drift="sudden"),
    "drift-gradual": Scenario("by and by other customers fade", drift="gradual"),
    "drift-recurring": Scenario("now these, now those customers fade", drift="recurring"),
    "outage": Scenario("upstream is away for a tenth of the run, then sends it all", outage=(0.45, 0.55)),
    "new-schema": Scenario("from the middle on events have a field more", new_schema_at=0.5),
}
"""Name → scenario."""


def turned(drift: Drift, at: float) -> float:
    """Return the drift at a time of the run, from 0 (as at the start) to 1 (reversed)."""
    if drift == "sudden":
        return float(at >= 0.5)
    if drift == "gradual":
        return min(max((at - 0.25) / 0.5, 0.0), 1.0)
    return float(int(at * 8) % 2) if drift == "recurring" else 0.0
