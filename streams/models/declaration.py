"""Defines what a model is: the settings that an arm declares, and the methods of every model.

A model has one file in streams/models/kinds and one line in streams/models/registry. Nothing here loads River, so that
a use case loads without it."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, Literal, Self

from streams.declarations import stated

Kind = Literal["binary", "regression"]
"""Kind of a target: the probability of 1, or an amount."""


class Model(ABC):
    """A model over vectors in the order of the target's feature names. NaN means unknown, and is left out."""

    @property
    @abstractmethod
    def reads(self) -> tuple[str, ...]:
        """The names of the features that it reads, in its order. It learnt from these and no others."""

    def bind(self, names: Sequence[str]) -> None:
        """Find by name, in vectors named `names`, the features that it reads. All of them are there.

        A model that reads whole vectors has nothing to find."""
        assert not self.reads or self.reads == tuple(names), f"{self.reads} are not all of {names}, in their order"

    @abstractmethod
    def predict(self, vector: Sequence[float]) -> float:
        """Return the probability of 1 (binary) or the value (regression). Changes nothing."""

    @abstractmethod
    def learn(self, vector: Sequence[float], label: float) -> None:
        """Learn one example; leave `vector` unchanged."""

    def explain(self, vector: Sequence[float], top: int) -> tuple[float, list[tuple[str, float]]]:
        """Return `predict`, and the `top` signed contributions to the score (log-odds or value), strongest first.

        A model without contributions returns none."""
        return self.predict(vector), []

    def frozen(self) -> "Model":
        """Return a model that answers and does not learn: the compiled kernel, where there is one."""
        return self

    @abstractmethod
    def pack(self) -> list[Any]:
        """Return the whole state as values for msgpack; equal histories give equal bytes."""

    @classmethod
    @abstractmethod
    def unpack(cls, state: list[Any]) -> Self:
        """Build the model from what `pack` returned."""


class Declaration(ABC):
    """The settings of a model. A subclass is a frozen dataclass; its name is part of definitions and never changes."""

    fits: ClassVar[tuple[Kind, ...]]
    """The kinds of target that the model can answer."""
    models: ClassVar[tuple[str, ...]]
    """Import paths of the classes that `build` returns. Snapshots carry the class's name, which never changes."""
    constant: ClassVar[bool] = False
    """Whether the answers depend on no feature: they rank nobody."""
    cost: ClassVar[str]
    """The kind of its costs in `tidecast size`: one of agents.sizing.constants.MODEL_KINDS."""

    def __repr__(self) -> str:
        """Return the declaration as text, which snapshots contain: without settings that were added later and have
        their former value."""
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in stated(self).items())})"

    @property
    def cost_units(self) -> int:
        """The multiplier of that cost."""
        return 1

    def reads(self, names: Sequence[str]) -> tuple[str, ...]:
        """Return the names of the features that the model reads of vectors named `names`, in its order."""
        return tuple(names)

    def problems(self, names: Sequence[str]) -> Iterator[str]:
        """Return what is wrong with the settings for vectors named `names`, one sentence each, with the remedy."""
        return iter(())

    def cautions(self) -> Iterator[tuple[str, str]]:
        """Return what is valid in its settings and will mislead: (setting, sentence with the remedy)."""
        return iter(())

    @abstractmethod
    def build(self, kind: Kind, names: Sequence[str], seed: int) -> Model:
        """Build the untrained model of a target of that kind over vectors named `names`. Import slow libraries here."""


def feature_problems(features: Sequence[str] | None, names: Sequence[str]) -> Iterator[str]:
    """Return what is wrong with the features that a model uses; None means all of `names`."""
    if features is not None and (not features or len(set(features)) != len(features)):
        yield "features must name at least one feature and none twice."
    for feature in features or ():
        if feature not in names:
            yield f"feature {feature!r} is not among the target's; declare it or use one of {', '.join(names)}."
