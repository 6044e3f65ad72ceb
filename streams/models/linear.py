"""Standard scaling and a linear model by stochastic gradient descent, over vectors.

The results equal, to the last bit, those of River's `StandardScaler() | LogisticRegression(SGD(r), l2=l)` (or
`LinearRegression`) over dicts without the unknown features: the operations are River's, in River's order. It keeps
plain lists, and so is faster than River and needs no pickle."""

from collections.abc import Iterator, Sequence
from math import exp
from typing import Any

from streams.kernels import kernel
from streams.models.declaration import Model

RIVERS_CLIP = 1e12
"""River's bound on a gradient."""
INTERCEPT_RATE = 0.01
"""River's learning rate of the intercept."""


def step_problems(learning_rate: float, l2: float) -> Iterator[str]:
    """Return what is wrong with the settings of the descent."""
    if not learning_rate > 0 or not l2 >= 0:
        yield "learning_rate must be above 0 and l2 at least 0."


class LinearModel(Model):
    """Scaled linear regression under squared loss; also the base of LogisticModel."""

    def __init__(
        self,
        names: Sequence[str],
        features: Sequence[str] | None,
        l2: float,
        learning_rate: float,
        clip_gradient: float = RIVERS_CLIP,
    ) -> None:
        """`names`: of the vectors. `features`: those that it uses, in their order; None for all."""
        self.features = list(names if features is None else features)
        self.columns = None if features is None else [names.index(feature) for feature in features]
        self.l2 = l2
        self.learning_rate = learning_rate
        self.clip_gradient = clip_gradient
        size = len(self.features)
        self.counts = [0] * size
        self.means = [0.0] * size
        self.variances = [0.0] * size
        self.weights = [0.0] * size
        self.intercept = 0.0
        self._deviations = [0.0] * size

    @property
    def reads(self) -> tuple[str, ...]:
        """See Model."""
        return tuple(self.features)

    def bind(self, names: Sequence[str]) -> None:
        """See Model."""
        if self.columns is not None or self.features != list(names):
            self.columns = [names.index(feature) for feature in self.features]

    def score(self, vector: Sequence[float]) -> float:
        """Return the linear score: log-odds or value."""
        if self.columns is not None:
            vector = [vector[i] for i in self.columns]
        dot = 0.0
        for x, mean, deviation, weight in zip(vector, self.means, self._deviations, self.weights, strict=True):
            if deviation and x == x:
                dot += weight * ((x - mean) / deviation)
        return dot + self.intercept

    def predict(self, vector: Sequence[float]) -> float:
        """See Model."""
        return self.answer(self.score(vector))

    def answer(self, score: float) -> float:
        """Return the answer at a score."""
        return score

    def gradient(self, score: float, label: float) -> float:
        """Return the derivative of the loss with respect to the score."""
        return 2 * (score - label)

    def learn(self, vector: Sequence[float], label: float) -> None:
        """See Model."""
        if self.columns is not None:
            vector = [vector[i] for i in self.columns]
        weights = self.weights
        scaled, dot = self._scale(vector)
        gradient = self.gradient(dot + self.intercept, label)
        gradient = max(min(gradient, self.clip_gradient), -self.clip_gradient)
        self.intercept -= INTERCEPT_RATE * gradient
        rate, l2 = self.learning_rate, self.l2
        if l2:
            for i, z in scaled:
                weights[i] -= rate * (z * gradient + weights[i] * l2)
        else:
            for i, z in scaled:
                weights[i] -= rate * (z * gradient)

    def _scale(self, vector: Sequence[float]) -> tuple[list[tuple[int, float]], float]:
        """Learn the scaling (Welford); return (column, scaled value) of known features, and the dot product."""
        counts, means, variances = self.counts, self.means, self.variances
        deviations, weights = self._deviations, self.weights
        scaled: list[tuple[int, float]] = []
        dot = 0.0
        for i, x in enumerate(vector):
            if x != x:
                continue
            counts[i] = count = counts[i] + 1
            old = means[i]
            means[i] = mean = old + (x - old) / count
            variance = variances[i]
            variances[i] = variance = variance + ((x - old) * (x - mean) - variance) / count
            # Rounding can make a variance negative, where River fails. It counts as zero.
            deviations[i] = deviation = 0.0 if variance <= 0.0 else variance**0.5
            z = (x - mean) / deviation if deviation else 0.0
            dot += weights[i] * z
            scaled.append((i, z))
        return scaled, dot

    def explain(self, vector: Sequence[float], top: int) -> tuple[float, list[tuple[str, float]]]:
        """See Model. A contribution is weight × scaled value; zero ones are left out."""
        if self.columns is not None:
            vector = [vector[i] for i in self.columns]
        scaling = zip(vector, self.means, self._deviations, self.weights, strict=True)
        parts = [
            weight * ((x - mean) / deviation) if deviation and x == x else 0.0 for x, mean, deviation, weight in scaling
        ]
        dot = 0.0
        for part in parts:  # not sum(): newer Pythons add up differently from `score`
            dot += part
        return self.answer(dot + self.intercept), _strongest(self.features, parts, top)

    def frozen(self) -> Model:
        """See Model."""
        found = kernel("answering")
        if found is None or type(self) not in (LinearModel, LogisticModel):
            return self
        parts = (self.features, self.columns, self.means, self._deviations, self.weights, self.intercept)
        frozen: Model = found.FrozenLinear(*parts, isinstance(self, LogisticModel))
        return frozen

    def pack(self) -> list[Any]:
        """See Model."""
        return [
            self.features,
            self.columns,
            self.l2,
            self.learning_rate,
            self.clip_gradient,
            list(self.counts),
            list(self.means),
            list(self.variances),
            list(self.weights),
            self.intercept,
        ]

    @classmethod
    def unpack(cls, state: list[Any]) -> "LinearModel":
        """See Model."""
        model = cls(state[0], None, *state[2:5])
        model.columns = state[1]
        model.counts, model.means, model.variances, model.weights = map(list, state[5:9])
        model.intercept = state[9]
        model._deviations = [0.0 if v <= 0.0 else v**0.5 for v in model.variances]
        return model


class LogisticModel(LinearModel):
    """Scaled logistic regression under log loss."""

    def answer(self, score: float) -> float:
        """Return the probability of 1, with River's limits at ±30."""
        if score < -30:
            return 0.0
        if score > 30:
            return 1.0
        return 1 / (1 + exp(-score))

    def gradient(self, score: float, label: float) -> float:
        """See LinearModel. River's limits at ±18 are kept, because they decide bits."""
        sign = -1 if label == 0 else 1
        z = score * sign
        if z > 18.0:
            return exp(-z) * -sign
        if z < -18.0:
            return -float(sign)
        return -sign / (exp(z) + 1.0)


def _strength(contribution: tuple[str, float]) -> float:
    return abs(contribution[1])


def _strongest(names: Sequence[str], parts: list[float], top: int) -> list[tuple[str, float]]:
    """Return the strongest contributions. Sorts plain numbers first, so that few pairs are built."""
    least = sorted(map(abs, parts), reverse=True)[top - 1] if 0 < top <= len(parts) else 0.0
    found = [(name, part) for name, part in zip(names, parts, strict=True) if part and abs(part) >= least]
    found.sort(key=_strength, reverse=True)
    return found[:top]
