"""River's trees and forests over vectors: exactly River's answers on the dict of the known features."""

import copyreg
import pickle
from collections.abc import Callable, Sequence
from io import BytesIO
from random import Random
from sys import getrecursionlimit, intern, setrecursionlimit
from typing import Any

from river import forest, proba, tree

from streams.models.arms import AdaptiveForest, HoeffdingTree

DEPTH = 20_000
"""Recursion allowed while pickling: River keeps a number's split candidates in unbalanced binary trees, as deep
as a monotone feature makes them."""


_NO_SAMPLES = Random(0)
"""Stands in for the random source of a loaded distribution: trees never sample from theirs."""


def _distribution(cls: type, state: dict[str, Any]) -> Any:
    found: Any = object.__new__(cls)
    found.__dict__.update(state, _rng=_NO_SAMPLES)
    return found


def _without_rng(value: Any) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """River gives every distribution in every leaf an unseeded random source of 2.5 kB, for samples that trees
    never take; it would make each snapshot different."""
    state = {name: item for name, item in vars(value).items() if name != "_rng"}
    return _distribution, (type(value), state)


DISPATCH = {
    **copyreg.dispatch_table,
    **dict.fromkeys((proba.Gaussian, proba.Multinomial), _without_rng),
}


class RiverModel:
    """A River regressor; also the base of RiverClassifier."""

    def __init__(self, names: Sequence[str], estimator: Any) -> None:
        self.names = [intern(name) for name in names]
        self.estimator = estimator

    def known(self, vector: Sequence[float]) -> dict[str, float]:
        """The known features by name, in order."""
        return {name: x for name, x in zip(self.names, vector, strict=True) if x == x}

    def predict(self, vector: Sequence[float]) -> float:
        """See streams.models.arms.Model; River's own 0.0 before the first example."""
        return float(self.estimator.predict_one(self.known(vector)))

    def learn(self, vector: Sequence[float], label: float) -> None:
        """See streams.models.arms.Model."""
        self.estimator.learn_one(self.known(vector), label)

    def explain(self, vector: Sequence[float], top: int) -> tuple[float, list[tuple[str, float]]]:
        """No contributions that would be honest: a tree's answer is no sum over features."""
        return self.predict(vector), []

    def pack(self) -> list[Any]:
        """Everything it is; the estimator pickled."""
        out = BytesIO()
        pickler = pickle.Pickler(out, protocol=5)
        pickler.dispatch_table = DISPATCH
        limit = getrecursionlimit()
        setrecursionlimit(max(limit, DEPTH))
        try:
            pickler.dump(self.estimator)
        finally:
            setrecursionlimit(limit)
        return [self.names, out.getvalue()]

    @classmethod
    def unpack(cls, state: list[Any]) -> "RiverModel":
        """The model that `pack` described. Only for bytes whose seal was checked: pickle runs code."""
        return cls(state[0], pickle.loads(state[1]))


class RiverClassifier(RiverModel):
    """A River classifier of False and True."""

    def predict(self, vector: Sequence[float]) -> float:
        """See streams.models.arms.Model; 0.5 while River has no opinion at all."""
        answer = self.estimator.predict_proba_one(self.known(vector))
        return float(answer.get(True, 0.0)) if answer else 0.5

    def learn(self, vector: Sequence[float], label: float) -> None:
        """See streams.models.arms.Model."""
        self.estimator.learn_one(self.known(vector), label != 0)


TREES = {cls.__name__: cls for cls in (RiverModel, RiverClassifier)}
"""Model classes by the name that snapshots carry."""


def build_tree(declared: HoeffdingTree | AdaptiveForest, binary: bool, names: Sequence[str], seed: int) -> RiverModel:
    """The untrained model of a declaration."""
    if isinstance(declared, AdaptiveForest):
        make = forest.ARFClassifier if binary else forest.ARFRegressor
        estimator = make(n_models=declared.trees, seed=seed)
    else:
        estimator = tree.HoeffdingTreeClassifier() if binary else tree.HoeffdingTreeRegressor()
    return (RiverClassifier if binary else RiverModel)(names, estimator)
