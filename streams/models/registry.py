"""Every model that an arm can declare, one line each: docs/contributing/add-a-model.md.

A line is all the registration there is: checking, building, snapshots, `tidecast size` and the tests of every model
read MODELS, and streams.usecases exports each name."""

from streams.models.declaration import Declaration
from streams.models.kinds.adaptive_forest import AdaptiveForest as AdaptiveForest
from streams.models.kinds.adaptive_tree import AdaptiveTree as AdaptiveTree
from streams.models.kinds.hoeffding_tree import HoeffdingTree as HoeffdingTree
from streams.models.kinds.last_value import LastValue as LastValue
from streams.models.kinds.linear import Linear as Linear
from streams.models.kinds.logistic import Logistic as Logistic
from streams.models.kinds.prior_rate import PriorRate as PriorRate

MODELS: dict[str, type[Declaration]] = {
    name: each
    for name, each in dict(vars()).items()
    if isinstance(each, type) and issubclass(each, Declaration) and each is not Declaration
}
"""Name → declaration."""
