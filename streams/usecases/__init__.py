"""All that declaring a use case needs, and the loader.

Every registered model is exported (streams.models.registry)."""

from streams.features.declarations import Attribute as Attribute
from streams.features.declarations import Count as Count
from streams.features.declarations import DistinctCount as DistinctCount
from streams.features.declarations import Last as Last
from streams.features.declarations import Max as Max
from streams.features.declarations import Mean as Mean
from streams.features.declarations import Min as Min
from streams.features.declarations import Ratio as Ratio
from streams.features.declarations import Sum as Sum
from streams.features.declarations import TimeSince as TimeSince
from streams.models.arms import Arm as Arm
from streams.models.registry import *  # noqa: F403
from streams.models.registry import MODELS
from streams.targets.declaration import AbsenceOf as AbsenceOf
from streams.targets.declaration import AmountOver as AmountOver
from streams.targets.declaration import Ask as Ask
from streams.targets.declaration import EventWithin as EventWithin
from streams.targets.declaration import ExplicitOutcome as ExplicitOutcome
from streams.targets.declaration import Target as Target
from streams.usecases.declaration import UseCase as UseCase
from streams.usecases.loader import load_use_case as load_use_case
from streams.usecases.loader import read_use_case as read_use_case
from streams.usecases.problems import Problem as Problem
from streams.usecases.problems import check as check

_FEATURES = ("Attribute", "Count", "DistinctCount", "Last", "Max", "Mean", "Min", "Ratio", "Sum", "TimeSince")
_OUTCOMES = ("AbsenceOf", "AmountOver", "EventWithin", "ExplicitOutcome")
_OTHERS = ("Arm", "Ask", "Problem", "Target", "UseCase", "check", "load_use_case", "read_use_case")
# Set at run time: a type checker reads the imports above instead, and would take a literal list for all there is.
vars()["__all__"] = [*_OTHERS, *_FEATURES, *_OUTCOMES, *MODELS]
