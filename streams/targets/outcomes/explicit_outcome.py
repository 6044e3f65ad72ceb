"""An outcome that a record states."""

from collections.abc import Iterator
from dataclasses import dataclass

from streams.features.fields import Events, Problem, duration_problem, number_problem
from streams.models.declaration import Kind
from streams.targets.observations import Observation
from streams.targets.outcome import Label, Outcome


@dataclass(frozen=True)
class ExplicitOutcome(Outcome):
    """The value of a tidecast.Outcome record.

    within: how long to wait for it; None for ever.
    default: the label if it does not arrive in time; None drops the question."""

    within: str | None = None
    default: float | None = None

    fits = ("binary", "regression")

    @property
    def horizon(self) -> str | None:
        """See Outcome."""
        return self.within

    def label_on_close(self, observation: Observation) -> Label | None:
        """See Outcome."""
        assert observation.end is not None
        return None if self.default is None else (float(self.default), observation.end, "default")

    def cautions(self) -> Iterator[tuple[str, str]]:
        """See Outcome."""
        if self.default is not None:
            text = (
                "outcomes that are told are learnt at once and the default when the horizon closes, so that models "
                "overestimate what is told; publish an outcome for every question, or keep `within` short."
            )
            yield "outcome.default", text

    def problems(self, place: str, kind: Kind, events: Events) -> Iterator[Problem]:
        """See Outcome."""
        wrong = None if self.within is None else duration_problem(self.within)
        if wrong:
            yield Problem(place, "outcome.within", wrong)
        if self.default is None:
            return
        if self.within is None:
            yield Problem(place, "outcome.default", "it would never come into force; give within='30d' as well.")
        wrong = number_problem(self.default, *((0, 1) if kind == "binary" else (-1e300, 1e300)))
        if wrong:
            yield Problem(place, "outcome.default", wrong)
