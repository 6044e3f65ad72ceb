"""A baseline that uses no feature. A model that does not beat it is worth nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from streams.models.declaration import Declaration, Kind, Model


@dataclass(frozen=True)
class PriorRate(Declaration):
    """A baseline: the mean of the labels so far; before any, 0.5, or 0 for an amount."""

    fits = ("binary", "regression")
    models = ("streams.models.kinds.prior_rate.PriorRateModel",)
    constant = True
    cost = "naive"

    def reads(self, names: Sequence[str]) -> tuple[str, ...]:
        """See Declaration."""
        return ()

    def build(self, kind: Kind, names: Sequence[str], seed: int) -> "PriorRateModel":
        """See Declaration."""
        return PriorRateModel(kind == "binary")


class PriorRateModel(Model):
    """The running mean of the labels (as River's PriorClassifier, or StatisticRegressor with Mean)."""

    def __init__(self, binary: bool) -> None:
        self.binary = binary
        self.count = 0
        self.mean = 0.0
        self.ones = 0

    @property
    def reads(self) -> tuple[str, ...]:
        """See Model."""
        return ()

    def predict(self, vector: Sequence[float]) -> float:
        """See Model."""
        if not self.binary:
            return self.mean
        return self.ones / self.count if self.count else 0.5

    def learn(self, vector: Sequence[float], label: float) -> None:
        """See Model."""
        self.count += 1
        if self.binary:
            self.ones += label != 0
        else:
            self.mean += (label - self.mean) / self.count

    def pack(self) -> list[Any]:
        """See Model."""
        return [self.binary, self.count, self.mean, self.ones]

    @classmethod
    def unpack(cls, state: list[Any]) -> "PriorRateModel":
        """See Model."""
        model = cls(state[0])
        model.count, model.mean, model.ones = state[1:]
        return model
