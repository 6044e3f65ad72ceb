"""A field of the latest event."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from streams.features.feature import Latest, ReadRegister
from streams.features.fields import VALUES, Events, Problem, field_problems, value_problem


@dataclass(frozen=True)
class Attribute(Latest):
    """A field of the customer's latest such event: a number (true is 1, false 0), or with `equals` 1 where the field
    has that value and 0 where it has another."""

    name: str
    of: str | tuple[str, ...]
    field: str
    equals: str | int | float | bool | None = None

    @property
    def kept(self) -> str:
        """See Latest."""
        return self.field

    def own_problems(self, place: str, of: Sequence[str], events: Events) -> Iterator[Problem]:
        """See OfEvents."""
        if self.equals is None:
            use = "which is no number: give equals=<value> for 1 or 0"
            yield from field_problems(events, place, of, self.field, ("number", "boolean"), use)
            return
        unknown = list(field_problems(events, place, of, self.field, VALUES, "which cannot be compared"))
        yield from unknown
        if not unknown:
            for event in of:
                wrong = value_problem(f"{event}.{self.field}", events[event][self.field], self.equals)
                if wrong:
                    yield Problem(place, "equals", wrong)

    def reader(self) -> ReadRegister:
        """See Latest."""
        if self.equals is None:
            return lambda register, clock: float(register[1])
        equals = self.equals
        return lambda register, clock: 1.0 if register[1] == equals else 0.0
