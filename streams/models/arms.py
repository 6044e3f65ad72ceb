"""Arms: the models a target declares, and what every model can do.

Only declarations and the protocol live here, so that a use case loads without loading River."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from streams.errors import DeclarationError

Kind = Literal["binary", "regression"]
Role = Literal["champion", "challenger", "shadow", "naive"]


RIVERS_CLIP = 1e12
"""River's bound on a gradient."""


@dataclass(frozen=True)
class Logistic:
    """Standard scaling and logistic regression by stochastic gradient descent; binary targets.

    l2: weight of the ridge penalty. learning_rate: step of the descent.
    features: names it looks at, in this order; None means all of the target's."""

    l2: float = 0.0
    learning_rate: float = 0.01
    features: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Linear:
    """Standard scaling and linear regression by stochastic gradient descent; regression targets.

    l2, learning_rate, features: as for Logistic. clip_gradient: the largest gradient (twice the error, in the
    target's unit) by which one example may move the weights. Amounts have outliers, and with River's default
    one of them can ruin the model: choose a few times the typical error."""

    l2: float = 0.0
    learning_rate: float = 0.01
    features: tuple[str, ...] | None = None
    clip_gradient: float = RIVERS_CLIP


@dataclass(frozen=True)
class HoeffdingTree:
    """A Hoeffding tree with River's defaults, classifier or regressor by the target's kind."""


@dataclass(frozen=True)
class AdaptiveForest:
    """Adaptive random forest with River's defaults, classifier or regressor by the target's kind.

    trees: their number. Dear: about 9 µs per tree and answer, 70 µs per tree and example."""

    trees: int = 10


@dataclass(frozen=True)
class PriorRate:
    """Naive forecast: the mean of the labels so far (0.5, or 0 for an amount, before any)."""


@dataclass(frozen=True)
class LastValue:
    """Naive forecast: a feature's value times `scale`; 0 where the feature is unknown. A binary target's
    answer is cut to 0…1."""

    feature: str
    scale: float = 1.0


Declaration = Logistic | Linear | HoeffdingTree | AdaptiveForest | PriorRate | LastValue


@dataclass(frozen=True)
class Arm:
    """A named model of a target. Exactly one arm of a target is its champion; the champion's answer is the
    prediction's value."""

    name: str
    model: Declaration
    role: Role = "challenger"


class Model(Protocol):
    """A model over vectors in the order of the target's feature names; NaN is unknown and is left out."""

    def predict(self, vector: Sequence[float]) -> float:
        """Probability of 1 (binary) or the value (regression). Changes nothing."""
        ...

    def learn(self, vector: Sequence[float], label: float) -> None:
        """Learn one example; `vector` stays as it is."""
        ...

    def explain(self, vector: Sequence[float], top: int) -> tuple[float, list[tuple[str, float]]]:
        """`predict`, and the `top` strongest signed contributions to the score (log-odds or value), strongest first;
        none where the model has none."""
        ...


def check_arm(arm: Arm, target_name: str, kind: Kind, names: Sequence[str]) -> None:
    """DeclarationError, naming target, arm and field, when the arm cannot answer this target."""
    place = f"Target {target_name!r}, arm {arm.name!r}"
    model = arm.model
    if isinstance(model, Logistic) and kind != "binary":
        raise DeclarationError(f"{place}: Logistic answers binary targets only; use Linear.")
    if isinstance(model, Linear) and kind != "regression":
        raise DeclarationError(f"{place}: Linear answers regression targets only; use Logistic.")
    if isinstance(model, Logistic | Linear):
        if not model.learning_rate > 0 or not model.l2 >= 0:
            raise DeclarationError(f"{place}: learning_rate must be above 0 and l2 at least 0.")
        if isinstance(model, Linear) and not model.clip_gradient > 0:
            raise DeclarationError(f"{place}: clip_gradient must be above 0.")
        _check_features(place, model.features, names)
    if isinstance(model, LastValue):
        _check_features(place, (model.feature,), names)
    if isinstance(model, AdaptiveForest) and not 1 <= model.trees <= 1000:
        raise DeclarationError(f"{place}: trees is {model.trees}; declare between 1 and 1000.")


def _check_features(place: str, features: tuple[str, ...] | None, names: Sequence[str]) -> None:
    if features is not None and (not features or len(set(features)) != len(features)):
        raise DeclarationError(f"{place}: features must name at least one feature and none twice.")
    for feature in features or ():
        if feature not in names:
            raise DeclarationError(
                f"{place}: feature {feature!r} is not among the target's; declare it or use one of {', '.join(names)}."
            )
