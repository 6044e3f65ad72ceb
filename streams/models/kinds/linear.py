"""Linear regression."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from streams.models.declaration import Declaration, Kind, feature_problems
from streams.models.linear import RIVERS_CLIP, LinearModel, step_problems


@dataclass(frozen=True)
class Linear(Declaration):
    """Standard scaling and linear regression by stochastic gradient descent; regression targets.

    l2, learning_rate, features: as for Logistic.
    clip_gradient: the largest gradient (twice the error, in the target's unit) with which one example may move the
    weights. With River's default a single outlier can ruin the model: choose a few times the typical error."""

    l2: float = 0.0
    learning_rate: float = 0.01
    features: tuple[str, ...] | None = None
    clip_gradient: float = RIVERS_CLIP

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
        yield from feature_problems(self.features, names)

    def build(self, kind: Kind, names: Sequence[str], seed: int) -> LinearModel:
        """See Declaration."""
        return LinearModel(names, self.features, self.l2, self.learning_rate, self.clip_gradient)
