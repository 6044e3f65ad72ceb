"""Logistic regression."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from streams.declarations import added
from streams.models.declaration import Declaration, Kind, feature_problems
from streams.models.linear import LogisticModel, robust_problems, step_problems, unlimited


@dataclass(frozen=True, repr=False)
class Logistic(Declaration):
    """Standard scaling and logistic regression by stochastic gradient descent; binary targets.

    l2: weight of the ridge penalty.
    learning_rate: step of the descent.
    features: names of the features that it uses, in this order; None for all of the target's.
    robust: a feature counts as at most 8 standard deviations from its mean, so that no single record can ruin the
    model. False is River's arithmetic."""

    l2: float = 0.0
    learning_rate: float = 0.01
    features: tuple[str, ...] | None = None
    robust: bool = added(default=True, before=False)

    fits = ("binary",)
    models = ("streams.models.linear.LogisticModel",)
    cost = "linear"

    def reads(self, names: Sequence[str]) -> tuple[str, ...]:
        """See Declaration."""
        return tuple(names if self.features is None else self.features)

    def problems(self, names: Sequence[str]) -> Iterator[str]:
        """See Declaration."""
        yield from step_problems(self.learning_rate, self.l2)
        yield from robust_problems(self.robust)
        yield from feature_problems(self.features, names)

    def cautions(self) -> Iterator[tuple[str, str]]:
        """See Declaration."""
        yield from unlimited(self.robust)

    def build(self, kind: Kind, names: Sequence[str], seed: int) -> LogisticModel:
        """See Declaration."""
        return LogisticModel(names, self.features, self.l2, self.learning_rate, robust=self.robust)
