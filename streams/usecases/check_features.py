"""What is wrong with features, as they are declared."""

import re
from collections.abc import Iterator, Sequence
from typing import Any, get_args

from streams.errors import DeclarationError
from streams.features.declarations import (
    Attribute,
    Count,
    DistinctCount,
    Feature,
    Last,
    Max,
    Mean,
    Min,
    Ratio,
    Sum,
    TimeSince,
    names,
)
from streams.features.window import UNITS, window
from streams.usecases.fields import (
    Events,
    Kind,
    Problem,
    event_problems,
    field_problems,
    number_problem,
    one_of,
    value_problem,
    where_problems,
)

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
MOST_KEPT = 1_000
NUMBERS: tuple[Kind, ...] = ("number",)
VALUES: tuple[Kind, ...] = ("number", "boolean", "text", "time")


def feature_problems(features: Sequence[Any], events: Events) -> Iterator[Problem]:
    """Problems of all features, in declared order."""
    if not features:
        yield Problem("use case", "features", "there is none; declare at least one, as in Count('n', of='Purchase').")
    seen: set[str] = set()
    for number, feature in enumerate(features):
        if not isinstance(feature, Feature):
            kinds = ", ".join(kind.__name__ for kind in get_args(Feature))
            yield Problem("use case", f"features[{number}]", f"{feature!r} is no feature; use one of {kinds}.")
            continue
        place = f"feature {feature.name!r}"
        yield from name_problems(place, feature.name, seen)
        if isinstance(feature, Ratio):
            yield from _ratio_problems(place, feature, features)
        else:
            yield from _source_problems(place, feature, events)


def name_problems(place: str, name: Any, seen: set[str]) -> Iterator[Problem]:
    """A name that is none, or is used before; remembers it in `seen`."""
    if not isinstance(name, str) or not NAME.fullmatch(name):
        yield Problem(place, "name", "write letters, digits and underscores, beginning with a letter, 100 at most.")
    elif name in seen:
        yield Problem(place, "name", f"{name!r} is declared twice; rename one of them.")
    else:
        seen.add(name)


def _ratio_problems(place: str, ratio: Ratio, features: Sequence[Any]) -> Iterator[Problem]:
    known = [f.name for f in features if isinstance(f, Feature) and not isinstance(f, Ratio)]
    ratios = [f.name for f in features if isinstance(f, Ratio)]
    for part in ("numerator", "denominator"):
        name = getattr(ratio, part)
        if name in ratios:
            yield Problem(place, part, f"{name!r} is a ratio itself; divide features that are not.")
        elif name not in known:
            yield Problem(place, part, f"no feature {name!r} is declared; {one_of(name, known)}")


def _source_problems(place: str, feature: Any, events: Events) -> Iterator[Problem]:
    try:
        of = names(feature.of)
    except TypeError:
        of = ()
    if not of:
        yield Problem(place, "of", "it names no event; write of='Event' or of=('One', 'Another').")
    yield from event_problems(events, place, "of", of)
    of = tuple(event for event in of if isinstance(event, str) and event in events)
    if isinstance(feature, Attribute):
        yield from _attribute_problems(place, feature, of, events)
        return
    yield from where_problems(events, place, of, feature.where)
    if isinstance(feature, TimeSince):
        if feature.unit not in ("s", "m", "h", "d", "w"):
            units = [unit for unit in UNITS if unit != "ms"]
            yield Problem(place, "unit", f"{feature.unit!r} is no unit; use one of {', '.join(units)}.")
        return
    try:
        window(feature.over)
    except DeclarationError as error:
        yield Problem(place, "over", f"{error}.")
    yield from _aggregate_problems(place, feature, of, events)


def _aggregate_problems(place: str, feature: Any, of: Sequence[str], events: Events) -> Iterator[Problem]:
    if isinstance(feature, Count):
        return
    kind = type(feature).__name__
    if isinstance(feature, DistinctCount):
        yield from field_problems(events, place, of, feature.field, VALUES, "values cannot be told apart")
        wrong = number_problem(feature.cap, 2, MOST_KEPT, whole=True)
        if wrong:
            yield Problem(place, "cap", wrong)
    elif isinstance(feature, Sum | Mean | Min | Max | Last):
        yield from field_problems(events, place, of, feature.field, NUMBERS, f"and {kind} needs a number")
        wrong = number_problem(feature.scale, -1e9, 1e9)
        if wrong or feature.scale == 0:
            yield Problem(place, "scale", wrong or "0 makes every value 0; write another factor.")


def _attribute_problems(place: str, feature: Attribute, of: Sequence[str], events: Events) -> Iterator[Problem]:
    if feature.equals is None:
        use = "which is no number: give equals=<value> for 1 or 0"
        yield from field_problems(events, place, of, feature.field, ("number", "boolean"), use)
        return
    unknown = list(field_problems(events, place, of, feature.field, VALUES, "which cannot be compared"))
    yield from unknown
    if not unknown:
        for event in of:
            wrong = value_problem(f"{event}.{feature.field}", events[event][feature.field], feature.equals)
            if wrong:
                yield Problem(place, "equals", wrong)
