"""Wraps River's estimators for vectors: the answers are River's on the dict of the known features.

River is imported only where one of its models is built or loaded. The import takes 0.7 s, which a scorer without such
models saves at start."""

import pickle
from abc import abstractmethod
from collections.abc import Sequence
from sys import intern
from typing import Any

from streams.models.declaration import Declaration, Kind, Model
from streams.models.trees import pickled


class RiverDeclaration(Declaration):
    """A model that is an estimator of River. A subclass names the estimator.

    The estimator must be deterministic: give it the seed if it takes one."""

    models = ("streams.models.river.RiverModel", "streams.models.river.RiverClassifier")

    @abstractmethod
    def estimator(self, kind: Kind, seed: int) -> Any:
        """Return River's untrained classifier or regressor, by the target's kind. Import River here."""

    def build(self, kind: Kind, names: Sequence[str], seed: int) -> "RiverModel":
        """See Declaration."""
        return (RiverClassifier if kind == "binary" else RiverModel)(names, self.estimator(kind, seed))


class RiverModel(Model):
    """A River regressor; also the base of RiverClassifier."""

    def __init__(self, names: Sequence[str], estimator: Any) -> None:
        self.names = [intern(name) for name in names]
        self.estimator = estimator

    @property
    def reads(self) -> tuple[str, ...]:
        """See Model."""
        return tuple(self.names)

    def known(self, vector: Sequence[float]) -> dict[str, float]:
        """Return the known features by name, in order."""
        return {name: x for name, x in zip(self.names, vector, strict=True) if x == x}

    def predict(self, vector: Sequence[float]) -> float:
        """See Model. Before the first example it is River's 0.0."""
        return float(self.estimator.predict_one(self.known(vector)))

    def learn(self, vector: Sequence[float], label: float) -> None:
        """See Model."""
        self.estimator.learn_one(self.known(vector), label)

    def pack(self) -> list[Any]:
        """See Model. The estimator is pickled."""
        return [self.names, pickled(self.estimator)]

    @classmethod
    def unpack(cls, state: list[Any]) -> "RiverModel":
        """See Model. Only for bytes whose seal was checked: a pickle runs code."""
        return cls(state[0], pickle.loads(state[1]))


class RiverClassifier(RiverModel):
    """A River classifier with the classes False and True."""

    def predict(self, vector: Sequence[float]) -> float:
        """See Model. It is 0.5 while River returns no probability."""
        answer = self.estimator.predict_proba_one(self.known(vector))
        return float(answer.get(True, 0.0)) if answer else 0.5

    def learn(self, vector: Sequence[float], label: float) -> None:
        """See Model."""
        self.estimator.learn_one(self.known(vector), label != 0)
