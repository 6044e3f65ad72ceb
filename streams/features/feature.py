"""Defines what a feature is. streams.features.plan computes each of the four families in a loop of its own.

A kind of feature has one file in streams/features/kinds and one line in streams/features/registry. `of` names one event
or several; `where` keeps the events whose fields fit (streams/features/filters); `over` is a window such as "24h",
"30d" or "13w" (streams/features/window), None means since the first event. A null field is not a value: such an event
counts, but adds nothing to what is computed of the field. Unknown (nothing seen) is NaN."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from math import nan
from typing import Any, ClassVar

from streams.errors import DeclarationError
from streams.features.columns import Column
from streams.features.fields import Events, Problem, event_problems, one_of, where_problems
from streams.features.filters import Where
from streams.features.window import window

Tiles = list[list[Any]]
"""Tiles in ascending order of slot. A tile is [slot, value of each column, …]."""
ReadTiles = Callable[[Tiles, int], float]
"""A function that computes the value from the tiles of the feature's window (there may be none) and the clock in ms."""
ReadRegister = Callable[[list[Any], int], float]
"""A function that computes the value from a register that is set ([time of the latest event, its value]) and a clock in
ms."""
ReadVector = Callable[[list[float]], float]
"""A function that computes the value from the values of the features that are not derived, in their places of the
vector."""


def names(of: str | tuple[str, ...]) -> tuple[str, ...]:
    """Return one name or several as a tuple."""
    return (of,) if isinstance(of, str) else tuple(of)


def finite(value: float) -> float:
    """Return the value as a double; unknown (NaN) when it is too large for one."""
    return value if value - value == 0.0 else nan


class Feature(ABC):
    """A number computed for each customer.

    Each kind is a frozen dataclass. Its name is part of definitions and never changes."""

    name: str
    unseen: ClassVar[float] = nan
    """The value while nothing is known."""

    @abstractmethod
    def problems(self, place: str, events: Events, features: Sequence["Feature"]) -> Iterator[Problem]:
        """Return what is wrong with its settings in a use case with these events and features; `place` names it."""


class OfEvents(Feature):
    """A feature that is computed from events."""

    of: str | tuple[str, ...]

    @property
    def filter(self) -> Where:
        """The setting `where`, if it has one."""
        where: Where = getattr(self, "where", {})
        return where

    def problems(self, place: str, events: Events, features: Sequence[Feature]) -> Iterator[Problem]:
        """See Feature."""
        try:
            of = names(self.of)
        except TypeError:
            of = ()
        if not of:
            yield Problem(place, "of", "it names no event; write of='Event' or of=('One', 'Another').")
        yield from event_problems(events, place, "of", of)
        known = tuple(event for event in of if isinstance(event, str) and event in events)
        yield from where_problems(events, place, known, self.filter)
        try:
            window(getattr(self, "over", None))
        except DeclarationError as error:
            yield Problem(place, "over", f"{error}.")
        yield from self.own_problems(place, known, events)

    def own_problems(self, place: str, of: Sequence[str], events: Events) -> Iterator[Problem]:
        """Return what is wrong with the settings of this kind; `of`: its existing events."""
        return iter(())


class Windowed(OfEvents):
    """A feature that is computed from the tiles of a window."""

    over: str | None

    @abstractmethod
    def columns(self) -> tuple[Column, ...]:
        """Return the columns that its tiles keep."""


class Total(Windowed):
    """A feature that is the total of one column, a count or a sum, times a factor."""

    unseen = 0.0

    @property
    @abstractmethod
    def factor(self) -> float:
        """The factor of the total."""


class Aggregate(Windowed):
    """A feature that is another value of tiles."""

    @abstractmethod
    def reader(self, positions: Sequence[int]) -> ReadTiles:
        """Return its reader; `positions`: of its columns in a tile. Built once, called for every vector."""


class Latest(OfEvents):
    """A feature of the latest event alone, by event time; of two at one moment, the later one in the log."""

    @property
    @abstractmethod
    def kept(self) -> str | None:
        """The field whose latest non-null value is kept; None keeps the time of the event only."""

    @abstractmethod
    def reader(self) -> ReadRegister:
        """Return its reader. Built once, called for every vector."""


class Derived(Feature):
    """A feature that is computed from other features, which must not be derived themselves."""

    @abstractmethod
    def parts(self) -> dict[str, str]:
        """Return the features by the setting that names each."""

    @abstractmethod
    def reader(self, places: Mapping[str, int]) -> ReadVector:
        """Return its reader; `places`: of each feature in the vector. Built once, called for every vector."""

    def problems(self, place: str, events: Events, features: Sequence[Feature]) -> Iterator[Problem]:
        """See Feature."""
        known = [f.name for f in features if isinstance(f, Feature) and not isinstance(f, Derived)]
        derived = {f.name: type(f).__name__ for f in features if isinstance(f, Derived) and isinstance(f.name, str)}
        for setting, name in self.parts().items():
            if isinstance(name, str) and name in derived:
                yield Problem(place, setting, f"{name!r} is a {derived[name]} itself; name a feature of events.")
            elif name not in known:
                yield Problem(place, setting, f"no feature {name!r} is declared; {one_of(name, known)}")
