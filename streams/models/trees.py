"""Pickling of River's estimators: equal bytes for equal histories, trees of any depth.

Snapshots name `streams.models.trees._distribution`: neither the module nor the function can be renamed."""

import copyreg
import pickle
from collections.abc import Callable
from functools import cache
from io import BytesIO
from random import Random
from sys import getrecursionlimit, setrecursionlimit
from typing import Any

DEPTH = 20_000
"""The recursion limit while pickling. River keeps the split candidates of a numeric feature in an unbalanced binary
tree, which grows deep when the feature's values are monotone."""

_NO_SAMPLES = Random(0)
"""Stands in for the random source of a loaded distribution: trees never sample from theirs."""


def _distribution(cls: type, state: dict[str, Any]) -> Any:
    found: Any = object.__new__(cls)
    # Not `__dict__.update`: from Python 3.13 on that may replace keys by equal ones that other instances share. Pickle
    # writes an identical string once and an equal one again, so the bytes would depend on what the process did before.
    found.__dict__ = {**state, "_rng": _NO_SAMPLES}
    return found


def _without_rng(value: Any) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """Reduce a distribution without its random source.

    River gives every distribution in every leaf an unseeded random source of 2.5 kB, for samples that trees never take.
    It would make each snapshot different."""
    state = {name: item for name, item in vars(value).items() if name != "_rng"}
    return _distribution, (type(value), state)


@cache
def _dispatch() -> dict[type, Any]:
    from river import proba

    return {**copyreg.dispatch_table, **dict.fromkeys((proba.Gaussian, proba.Multinomial), _without_rng)}


def pickled(estimator: Any) -> bytes:
    """Return the estimator as bytes for `pickle.loads`."""
    out = BytesIO()
    pickler = pickle.Pickler(out, protocol=5)
    pickler.dispatch_table = _dispatch()
    limit = getrecursionlimit()
    setrecursionlimit(max(limit, DEPTH))
    try:
        pickler.dump(estimator)
    finally:
        setrecursionlimit(limit)
    return out.getvalue()
