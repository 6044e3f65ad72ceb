"""A Hoeffding adaptive tree."""

from dataclasses import dataclass
from typing import Any

from streams.models.declaration import Kind
from streams.models.river import RiverDeclaration


@dataclass(frozen=True)
class AdaptiveTree(RiverDeclaration):
    """A Hoeffding adaptive tree with River's defaults, classifier or regressor by the target's kind.

    It replaces branches whose errors have grown, and so follows a change that a HoeffdingTree keeps fighting. It costs
    about twice as much."""

    fits = ("binary", "regression")
    cost = "tree"

    @property
    def cost_units(self) -> int:
        """See Declaration."""
        return 2

    def estimator(self, kind: Kind, seed: int) -> Any:
        """See RiverDeclaration."""
        from river import tree

        if kind == "binary":
            return tree.HoeffdingAdaptiveTreeClassifier(seed=seed)
        return tree.HoeffdingAdaptiveTreeRegressor(seed=seed)
