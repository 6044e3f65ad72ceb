"""An adaptive random forest."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from streams.models.declaration import Kind
from streams.models.river import RiverDeclaration


@dataclass(frozen=True)
class AdaptiveForest(RiverDeclaration):
    """Adaptive random forest with River's defaults, classifier or regressor by the target's kind.

    It is the most expensive model: about 9 µs per tree and answer, 70 µs per tree and example.

    trees: number of trees."""

    trees: int = 10

    fits = ("binary", "regression")
    cost = "forest_tree"

    @property
    def cost_units(self) -> int:
        """See Declaration."""
        return self.trees

    def problems(self, names: Sequence[str]) -> Iterator[str]:
        """See Declaration."""
        if not 1 <= self.trees <= 1000:
            yield f"trees is {self.trees}; declare between 1 and 1000."

    def estimator(self, kind: Kind, seed: int) -> Any:
        """See RiverDeclaration."""
        from river import forest

        make = forest.ARFClassifier if kind == "binary" else forest.ARFRegressor
        return make(n_models=self.trees, seed=seed)
