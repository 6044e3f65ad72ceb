"""River's estimators over vectors: exactly River's answers on the dict of the known features.

River is imported only where one of its models is built or loaded: it takes the better part of a second, which a scorer
without them does not spend when it starts."""

import pickle
from abc import abstractmethod
from collections.abc import Sequence
from sys import intern
from typing import Any

from streams.models.declaration import Declaration, Kind, Model
from streams.models.trees import pickled


class RiverDeclaration(Declaration):
    """A model that is an estimator of River's: a subclass names it, the rest is here.

    The estimator must be deterministic: give it the seed if it takes one."""

    models = ("streams.models.river.RiverModel", "streams.models.river.RiverClassifier")

    @abstractmethod
    def estimator(self, kind: Kind, seed: int) -> Any:
        """River's untrained classifier or regressor, by the target's kind. Import River in here."""

    def build(self, kind: Kind, names: Sequence[str], seed: int) -> "RiverModel":
        """See Declaration."""
        return (RiverClassifier if kind == "binary" else RiverModel)(names, self.estimator(kind, seed))


class RiverModel(Model):
    """A River regressor; also the base of RiverClassifier."""

    def __init__(self, names: Sequence[str], estimator: Any) -> None:
        self.names = [intern(name) for name in names]
        self.estimator = estimator

    def known(self, vector: Sequence[float]) -> dict[str, float]:
        """The known features by name, in order."""
        return {name: x for name, x in zip(self.names, vector, strict=True) if x == x}

    def predict(self, vector: Sequence[float]) -> float:
        """See Model; River's own 0.0 before the first example."""
        return float(self.estimator.predict_one(self.known(vector)))

    def learn(self, vector: Sequence[float], label: float) -> None:
        """See Model."""
        self.estimator.learn_one(self.known(vector), label)

    def pack(self) -> list[Any]:
        """See Model; the estimator pickled."""
        return [self.names, pickled(self.estimator)]

    @classmethod
    def unpack(cls, state: list[Any]) -> "RiverModel":
        """See Model. Only for bytes whose seal was checked: a pickle runs code."""
        return cls(state[0], pickle.loads(state[1]))


class RiverClassifier(RiverModel):
    """A River classifier of False and True."""

    def predict(self, vector: Sequence[float]) -> float:
        """See Model; 0.5 while River has no opinion at all."""
        answer = self.estimator.predict_proba_one(self.known(vector))
        return float(answer.get(True, 0.0)) if answer else 0.5

    def learn(self, vector: Sequence[float], label: float) -> None:
        """See Model."""
        self.estimator.learn_one(self.known(vector), label != 0)
