"""What a model is: the settings that an arm declares, and what every model can do.

A model has one file in streams/models/kinds and one line in streams/models/registry. Nothing here loads River, so that
a use case loads without it."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, Literal, Self

Kind = Literal["binary", "regression"]
"""Of a target: the probability of 1, or an amount."""


class Model(ABC):
    """A model over vectors in the order of the target's feature names; NaN is unknown and is left out."""

    @abstractmethod
    def predict(self, vector: Sequence[float]) -> float:
        """Probability of 1 (binary) or the value (regression). Changes nothing."""

    @abstractmethod
    def learn(self, vector: Sequence[float], label: float) -> None:
        """Learn one example; `vector` stays as it is."""

    def explain(self, vector: Sequence[float], top: int) -> tuple[float, list[tuple[str, float]]]:
        """`predict`, and the `top` strongest signed contributions to the score (log-odds or value), strongest first;
        none where the model has none."""
        return self.predict(vector), []

    def frozen(self) -> "Model":
        """The model that answers and does not learn: its compiled kernel, where it has one."""
        return self

    @abstractmethod
    def pack(self) -> list[Any]:
        """Everything it is, as values for msgpack: equal bytes for equal histories."""

    @classmethod
    @abstractmethod
    def unpack(cls, state: list[Any]) -> Self:
        """The model that `pack` described."""


class Declaration(ABC):
    """A model's settings. Each subclass is a frozen dataclass; its name is part of definitions and never changes."""

    fits: ClassVar[tuple[Kind, ...]]
    """The kinds of target that it can answer."""
    models: ClassVar[tuple[str, ...]]
    """Import paths of the classes that `build` returns. Snapshots carry the class's name, which never changes."""
    cost: ClassVar[str]
    """The kind of costs that it has in `tidecast size`: one of agents.sizing.constants.MODEL_KINDS."""

    @property
    def cost_units(self) -> int:
        """How many times that cost it has."""
        return 1

    def problems(self, names: Sequence[str]) -> Iterator[str]:
        """What is wrong with its settings for vectors named `names`, and the remedy; one sentence each."""
        return iter(())

    @abstractmethod
    def build(self, kind: Kind, names: Sequence[str], seed: int) -> Model:
        """The untrained model of a target of that kind, over vectors named `names`. Import slow libraries in here."""


def feature_problems(features: Sequence[str] | None, names: Sequence[str]) -> Iterator[str]:
    """What is wrong with the features that a model looks at; None means all of `names`."""
    if features is not None and (not features or len(set(features)) != len(features)):
        yield "features must name at least one feature and none twice."
    for feature in features or ():
        if feature not in names:
            yield f"feature {feature!r} is not among the target's; declare it or use one of {', '.join(names)}."
