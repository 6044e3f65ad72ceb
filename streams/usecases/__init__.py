"""Everything that a use case imports, and the loader.

Every registered feature, outcome and model is exported: the modules `registry` in features, targets and models."""

from streams.features.registry import *  # noqa: F403
from streams.features.registry import FEATURES
from streams.models.arms import Arm as Arm
from streams.models.registry import *  # noqa: F403
from streams.models.registry import MODELS
from streams.targets.declaration import Ask as Ask
from streams.targets.declaration import Target as Target
from streams.targets.registry import *  # noqa: F403
from streams.targets.registry import OUTCOMES
from streams.usecases.declaration import UseCase as UseCase
from streams.usecases.loader import load_use_case as load_use_case
from streams.usecases.loader import read_use_case as read_use_case
from streams.usecases.problems import Problem as Problem
from streams.usecases.problems import check as check

_OTHERS = ("Arm", "Ask", "Problem", "Target", "UseCase", "check", "load_use_case", "read_use_case")
# Set at run time: a type checker reads the imports above instead, and would take a literal list for all there is.
vars()["__all__"] = [*_OTHERS, *FEATURES, *OUTCOMES, *MODELS]
