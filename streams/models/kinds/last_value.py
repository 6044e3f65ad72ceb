"""A baseline: the forecast that an amount stays as it is."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

from streams.models.declaration import Declaration, Kind, Model, feature_problems


@dataclass(frozen=True)
class LastValue(Declaration):
    """A baseline: a feature's value times `scale`; 0 where the feature is unknown."""

    feature: str
    scale: float = 1.0

    fits = ("regression",)
    models = ("streams.models.kinds.last_value.LastValueModel",)
    cost = "naive"

    def reads(self, names: Sequence[str]) -> tuple[str, ...]:
        """See Declaration."""
        return (self.feature,)

    def problems(self, names: Sequence[str]) -> Iterator[str]:
        """See Declaration."""
        return feature_problems((self.feature,), names)

    def build(self, kind: Kind, names: Sequence[str], seed: int) -> "LastValueModel":
        """See Declaration."""
        return LastValueModel(self.feature, list(names).index(self.feature), self.scale)


class LastValueModel(Model):
    """Answers with one column of the vector times `scale`; 0 where it is unknown."""

    def __init__(self, feature: str, column: int, scale: float) -> None:
        self.feature = feature
        self.column = column
        self.scale = scale

    @property
    def reads(self) -> tuple[str, ...]:
        """See Model."""
        return (self.feature,)

    def bind(self, names: Sequence[str]) -> None:
        """See Model."""
        self.column = names.index(self.feature)

    def predict(self, vector: Sequence[float]) -> float:
        """See Model."""
        x = vector[self.column]
        return x * self.scale if isfinite(x) else 0.0

    def learn(self, vector: Sequence[float], label: float) -> None:
        """See Model. There is nothing to learn."""

    def explain(self, vector: Sequence[float], top: int) -> tuple[float, list[tuple[str, float]]]:
        """See Model. The only contribution is its feature."""
        value = self.predict(vector)
        return value, [(self.feature, value)][:top]

    def pack(self) -> list[Any]:
        """See Model. The last value says that no answer is cut to 0…1."""
        return [self.feature, self.column, self.scale, False]

    @classmethod
    def unpack(cls, state: list[Any]) -> "LastValueModel":
        """See Model."""
        return cls(*state[:3])
