"""Checks the features of a use case."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from streams.features.feature import Feature
from streams.features.fields import Events, Problem
from streams.features.registry import FEATURES

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")


def feature_problems(features: Sequence[Any], events: Events) -> Iterator[Problem]:
    """Return the problems of all features, in declared order."""
    if not features:
        yield Problem("use case", "features", "there is none; declare at least one, as in Count('n', of='Purchase').")
    seen: set[str] = set()
    for number, feature in enumerate(features):
        kind = type(feature).__name__
        if not isinstance(feature, Feature):
            text = f"{feature!r} is not a feature; use one of {', '.join(FEATURES)}."
            yield Problem("use case", f"features[{number}]", text)
            continue
        place = f"feature {feature.name!r}"
        if FEATURES.get(kind) is not type(feature):
            yield Problem(place, "", f"{kind} is not registered; add its line to streams/features/registry.py.")
        yield from name_problems(place, feature.name, seen)
        yield from feature.problems(place, events, features)


def name_problems(place: str, name: Any, seen: set[str]) -> Iterator[Problem]:
    """Return the problems of a name that is invalid or used before; add it to `seen`."""
    if not isinstance(name, str) or not NAME.fullmatch(name):
        yield Problem(place, "name", "write letters, digits and underscores, beginning with a letter, 100 at most.")
    elif name in seen:
        yield Problem(place, "name", f"{name!r} is declared twice; rename one of them.")
    else:
        seen.add(name)
