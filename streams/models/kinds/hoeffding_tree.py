"""A Hoeffding tree."""

from dataclasses import dataclass
from typing import Any

from streams.models.declaration import Kind
from streams.models.river import RiverDeclaration


@dataclass(frozen=True)
class HoeffdingTree(RiverDeclaration):
    """A Hoeffding tree with River's defaults, classifier or regressor by the target's kind."""

    fits = ("binary", "regression")
    cost = "tree"

    def estimator(self, kind: Kind, seed: int) -> Any:
        """See RiverDeclaration."""
        from river import tree

        return tree.HoeffdingTreeClassifier() if kind == "binary" else tree.HoeffdingTreeRegressor()
