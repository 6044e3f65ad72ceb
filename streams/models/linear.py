"""Standard scaling and a linear model by stochastic gradient descent, over vectors.

The results equal, to the last bit, those of River's `StandardScaler() | LogisticRegression(SGD(r), l2=l)` (or
`LinearRegression`) over dicts without the unknown features: the operations are River's, in River's order. It keeps
plain lists, and so is faster than River and needs no pickle.

A robust model does the same as long as no example is extreme. Of an extreme one it learns a bounded part, so that no
single record can ruin it:

- A value counts as at most MOST_DEVIATIONS standard deviations from the mean, for the scaling, the weights and the
  answers. (The first value that differs from a constant is taken whole: nothing says yet how much is much.)
- A gradient of the squared loss counts as at most MOST_USUAL times the root mean square of the RECENT gradients before
  it. The log loss needs no such limit: its gradient is at most 1, and a limit below that would make rare events rarer.

So one example moves a score by at most the sum of: INTERCEPT_RATE × g; learning_rate × g × MOST_DEVIATIONS² per feature
for the weights; and about |weight| × MOST_DEVIATIONS³ / (2 n) per feature for the scaling, after n values of it. g is
the gradient that counts. What was an extreme and becomes usual is learnt: each such example widens the limits."""

from collections.abc import Iterator, Sequence
from math import exp, inf, sqrt
from typing import Any

from streams.kernels import kernel
from streams.models import descent
from streams.models.declaration import Model

RIVERS_CLIP = 1e12
"""River's bound on a gradient."""
INTERCEPT_RATE = 0.01
"""River's learning rate of the intercept."""

MOST_DEVIATIONS = 8.0
"""Standard deviations from the mean at which a robust model clips a feature."""
MOST_USUAL = 10.0
"""Multiple of the usual gradient (root mean square) at which a robust model clips a gradient of the squared loss."""
RECENT = 1000
"""Examples over which the usual gradient is an exponentially weighted mean."""


def step_problems(learning_rate: float, l2: float) -> Iterator[str]:
    """Return what is wrong with the settings of the descent."""
    if not learning_rate > 0 or not l2 >= 0:
        yield "learning_rate must be above 0 and l2 at least 0."


def robust_problems(robust: Any) -> Iterator[str]:
    """Return what is wrong with the setting `robust`."""
    if not isinstance(robust, bool):
        yield "robust must be True or False."


def unlimited(robust: bool) -> Iterator[tuple[str, str]]:
    """Return the caution of a model that is not robust: (setting, sentence)."""
    if not robust:
        yield "robust", "a single extreme record can ruin the model for good; leave robust out, or write robust=True."


class LinearModel(Model):
    """Scaled linear regression under squared loss; also the base of LogisticModel."""

    def __init__(
        self,
        names: Sequence[str],
        features: Sequence[str] | None,
        l2: float,
        learning_rate: float,
        clip_gradient: float = RIVERS_CLIP,
        robust: bool = False,
    ) -> None:
        """`names`: of the vectors. `features`: those that it uses, in their order; None for all."""
        self.features = list(names if features is None else features)
        self.columns = None if features is None else [names.index(feature) for feature in features]
        self.l2 = l2
        self.learning_rate = learning_rate
        self.clip_gradient = clip_gradient
        self.robust = robust
        self._most = MOST_DEVIATIONS if robust else inf
        self.usual_square = 0.0
        self.seen = 0
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
        for part in self._parts(vector):
            dot += part
        return dot + self.intercept

    def _parts(self, vector: Sequence[float]) -> list[float]:
        """Return what each feature adds to the score: weight × scaled value."""
        most, parts = self._most, []
        for x, mean, deviation, weight in zip(vector, self.means, self._deviations, self.weights, strict=True):
            if not deviation or x != x:
                parts.append(0.0)
                continue
            z = (x - mean) / deviation
            if z > most:
                z = most
            elif z < -most:
                z = -most
            parts.append(weight * z)
        return parts

    def predict(self, vector: Sequence[float]) -> float:
        """See Model."""
        return self.answer(self.score(vector))

    def answer(self, score: float) -> float:
        """Return the answer at a score."""
        return score

    def gradient(self, score: float, label: float) -> float:
        """Return the derivative of the loss with respect to the score."""
        return 2 * (score - label)

    def limited(self, gradient: float) -> float:
        """Return the part of a gradient that counts. A robust model also learns what is usual."""
        gradient = max(min(gradient, self.clip_gradient), -self.clip_gradient)
        if not self.robust:
            return gradient
        usual = self.usual_square
        if usual and gradient * gradient > MOST_USUAL * MOST_USUAL * usual:
            most = MOST_USUAL * sqrt(usual)
            gradient = most if gradient > 0.0 else -most
        self.seen += 1
        self.usual_square = usual + (gradient * gradient - usual) / min(self.seen, RECENT)
        return gradient

    def learn(self, vector: Sequence[float], label: float) -> None:
        """See Model."""
        # the values, of which `scale` makes scaled ones; unknown ones stay NaN
        scaled = list(vector) if self.columns is None else [vector[i] for i in self.columns]
        found = kernel("learning") or descent
        parts = (self.counts, self.means, self.variances, self._deviations, self.weights, scaled)
        gradient = self.limited(self.gradient(found.scale(*parts, self._most) + self.intercept, label))
        self.intercept -= INTERCEPT_RATE * gradient
        found.descend(self.weights, scaled, gradient, self.learning_rate, self.l2)

    def explain(self, vector: Sequence[float], top: int) -> tuple[float, list[tuple[str, float]]]:
        """See Model. A contribution is weight × scaled value; zero ones are left out."""
        if self.columns is not None:
            vector = [vector[i] for i in self.columns]
        parts = self._parts(vector)
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
        frozen: Model = found.FrozenLinear(*parts, isinstance(self, LogisticModel), self._most)
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
            *([self.usual_square, self.seen] if self.robust else ()),
        ]

    @classmethod
    def unpack(cls, state: list[Any]) -> "LinearModel":
        """See Model."""
        model = cls(state[0], None, state[2], state[3], state[4], robust=len(state) > 10)
        model.columns = state[1]
        model.counts, model.means, model.variances, model.weights = map(list, state[5:9])
        model.intercept = state[9]
        if model.robust:
            model.usual_square, model.seen = state[10:]
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

    def limited(self, gradient: float) -> float:
        """See LinearModel. The gradient of the log loss is at most 1."""
        return gradient


def _strength(contribution: tuple[str, float]) -> float:
    return abs(contribution[1])


def _strongest(names: Sequence[str], parts: list[float], top: int) -> list[tuple[str, float]]:
    """Return the strongest contributions. Sorts plain numbers first, so that few pairs are built."""
    least = sorted(map(abs, parts), reverse=True)[top - 1] if 0 < top <= len(parts) else 0.0
    found = [(name, part) for name, part in zip(names, parts, strict=True) if part and abs(part) >= least]
    found.sort(key=_strength, reverse=True)
    return found[:top]
