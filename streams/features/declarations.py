"""Features as a use case declares them. Plain data: streams/features/plan computes, streams/features/problems
checks.

`of` names one event or several; `where` keeps the events whose fields fit (streams/features/filters); `over` is
a window such as "24h", "30d" or "13w" (streams/features/window), None means since the first event. A null field
is not a value: such an event counts, but adds nothing to sum, mean, min, max, last, distinct count or
attribute. Unknown (nothing seen) is NaN; counts, sums and distinct counts of nothing are 0."""

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field as default
from typing import Any, Literal

Where = Mapping[str, Any]
"""{field: value} or {field: (operator, value)}, all of them true."""


def names(of: str | tuple[str, ...]) -> tuple[str, ...]:
    """One name or several as a tuple."""
    return (of,) if isinstance(of, str) else tuple(of)


@dataclass(frozen=True)
class Count:
    """Number of events in a window."""

    name: str
    of: str | tuple[str, ...]
    over: str | None = None
    where: Where = default(default_factory=dict)


@dataclass(frozen=True)
class Sum:
    """Sum of a numeric field in a window, times `scale` (cents to euros: 0.01). Integers are summed exactly."""

    name: str
    of: str | tuple[str, ...]
    field: str
    over: str | None = None
    where: Where = default(default_factory=dict)
    scale: float = 1.0


@dataclass(frozen=True)
class Mean:
    """Mean of a numeric field in a window, times `scale`."""

    name: str
    of: str | tuple[str, ...]
    field: str
    over: str | None = None
    where: Where = default(default_factory=dict)
    scale: float = 1.0


@dataclass(frozen=True)
class Min:
    """Smallest value of a numeric field in a window, times `scale`."""

    name: str
    of: str | tuple[str, ...]
    field: str
    over: str | None = None
    where: Where = default(default_factory=dict)
    scale: float = 1.0


@dataclass(frozen=True)
class Max:
    """Largest value of a numeric field in a window, times `scale`."""

    name: str
    of: str | tuple[str, ...]
    field: str
    over: str | None = None
    where: Where = default(default_factory=dict)
    scale: float = 1.0


@dataclass(frozen=True)
class Last:
    """Latest value of a numeric field by event time (of two at one moment, the later in the log), times
    `scale`; unknown when it is older than the window."""

    name: str
    of: str | tuple[str, ...]
    field: str
    over: str | None = None
    where: Where = default(default_factory=dict)
    scale: float = 1.0


@dataclass(frozen=True)
class DistinctCount:
    """Number of different values of a field in a window: exact while no tile holds more than `cap` of them,
    then an estimate with a relative standard error of about 1 / sqrt(cap - 1) (streams/features/distinct)."""

    name: str
    of: str | tuple[str, ...]
    field: str
    over: str | None = None
    cap: int = 64
    where: Where = default(default_factory=dict)


@dataclass(frozen=True)
class TimeSince:
    """Time from the latest such event to the customer's clock, in `unit`s of m, h, d or w."""

    name: str
    of: str | tuple[str, ...]
    unit: Literal["s", "m", "h", "d", "w"] = "d"
    where: Where = default(default_factory=dict)


@dataclass(frozen=True)
class Ratio:
    """One feature divided by another; unknown when either is, or when the divisor is 0."""

    name: str
    numerator: str
    denominator: str


@dataclass(frozen=True)
class Attribute:
    """What the customer's latest such event said: a number (true is 1, false 0), or with `equals` 1 where the
    field has that value and 0 where it has another."""

    name: str
    of: str | tuple[str, ...]
    field: str
    equals: str | int | float | bool | None = None


Feature = Count | Sum | Mean | Min | Max | Last | DistinctCount | TimeSince | Ratio | Attribute
