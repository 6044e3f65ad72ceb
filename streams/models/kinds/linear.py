"""Linear regression."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from streams.declarations import added
from streams.models.declaration import Declaration, Kind, feature_problems
from streams.models.linear import RIVERS_CLIP, LinearModel, robust_problems, step_problems, unlimited


@dataclass(frozen=True, repr=False)
class Linear(Declaration):
    """Standard scaling and linear regression by stochastic gradient descent; regression targets.

    l2, learning_rate, features: as for Logistic.
    clip_gradient: the largest gradient (twice the error, in the target's unit) with which one example may move the
    weights.
    robust: a feature counts as at most 8 standard deviations from its mean, and a gradient as at most 10 times the
    usual one, so that no single record can ruin the model. An amount that is usual in fewer than one of a hundred
    questions is then learnt too low. False is River's arithmetic: choose a `clip_gradient` of a few times the typical
    error with it, because the default is no limit."""

    l2: float = 0.0
    learning_rate: float = 0.01
    features: tuple[str, ...] | None = None
    clip_gradient: float = RIVERS_CLIP
    robust: bool = added(default=True, before=False)

    fits = ("regression",)
    models = ("streams.models.linear.LinearModel",)
    cost = "linear"

    def reads(self, names: Sequence[str]) -> tuple[str, ...]:
        """See Declaration."""
        return tuple(names if self.features is None else self.features)

    def problems(self, names: Sequence[str]) -> Iterator[str]:
        """See Declaration."""
        yield from step_problems(self.learning_rate, self.l2)
        if not self.clip_gradient > 0:
            yield "clip_gradient must be above 0."
        yield from robust_problems(self.robust)
        yield from feature_problems(self.features, names)

    def cautions(self) -> Iterator[tuple[str, str]]:
        """See Declaration."""
        yield from unlimited(self.robust)

    def build(self, kind: Kind, names: Sequence[str], seed: int) -> LinearModel:
        """See Declaration."""
        return LinearModel(names, self.features, self.l2, self.learning_rate, self.clip_gradient, self.robust)
