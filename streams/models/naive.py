"""Naive forecasts, arms like any other: a model that does not beat them is worth nothing."""

from collections.abc import Sequence
from math import isfinite
from typing import Any


class PriorRateModel:
    """The running mean of the labels (as River's PriorClassifier, or StatisticRegressor with Mean)."""

    def __init__(self, binary: bool) -> None:
        self.binary = binary
        self.count = 0
        self.mean = 0.0
        self.ones = 0

    def predict(self, vector: Sequence[float]) -> float:
        """See streams.models.arms.Model."""
        if not self.binary:
            return self.mean
        return self.ones / self.count if self.count else 0.5

    def learn(self, vector: Sequence[float], label: float) -> None:
        """See streams.models.arms.Model."""
        self.count += 1
        if self.binary:
            self.ones += label != 0
        else:
            self.mean += (label - self.mean) / self.count

    def explain(self, vector: Sequence[float], top: int) -> tuple[float, list[tuple[str, float]]]:
        """No contributions: it looks at no feature."""
        return self.predict(vector), []

    def pack(self) -> list[Any]:
        """Everything it is, as plain values."""
        return [self.binary, self.count, self.mean, self.ones]

    @classmethod
    def unpack(cls, state: list[Any]) -> "PriorRateModel":
        """The model that `pack` described."""
        model = cls(state[0])
        model.count, model.mean, model.ones = state[1:]
        return model


class LastValueModel:
    """A feature's value times `scale`; 0 where it is unknown; cut to 0…1 for a binary target."""

    def __init__(self, names: Sequence[str], feature: str, scale: float, binary: bool) -> None:
        self.feature = feature
        self.column = list(names).index(feature)
        self.scale = scale
        self.binary = binary

    def predict(self, vector: Sequence[float]) -> float:
        """See streams.models.arms.Model."""
        x = vector[self.column]
        value = x * self.scale if isfinite(x) else 0.0
        return min(max(value, 0.0), 1.0) if self.binary else value

    def learn(self, vector: Sequence[float], label: float) -> None:
        """Nothing to learn."""

    def explain(self, vector: Sequence[float], top: int) -> tuple[float, list[tuple[str, float]]]:
        """Its one feature."""
        value = self.predict(vector)
        return value, [(self.feature, value)][:top]

    def pack(self) -> list[Any]:
        """Everything it is, as plain values."""
        return [self.feature, self.column, self.scale, self.binary]

    @classmethod
    def unpack(cls, state: list[Any]) -> "LastValueModel":
        """The model that `pack` described."""
        model = cls.__new__(cls)
        model.feature, model.column, model.scale, model.binary = state
        return model
