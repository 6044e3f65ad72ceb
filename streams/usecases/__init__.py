"""All that declaring a use case needs, and the loader."""

from streams.features.declarations import (
    Attribute,
    Count,
    DistinctCount,
    Last,
    Max,
    Mean,
    Min,
    Ratio,
    Sum,
    TimeSince,
)
from streams.models.arms import AdaptiveForest, Arm, HoeffdingTree, LastValue, Linear, Logistic, PriorRate
from streams.targets.declaration import AbsenceOf, AmountOver, Ask, EventWithin, ExplicitOutcome, Target
from streams.usecases.declaration import UseCase
from streams.usecases.loader import load_use_case, read_use_case
from streams.usecases.problems import Problem, check

__all__ = [
    "AbsenceOf",
    "AdaptiveForest",
    "AmountOver",
    "Arm",
    "Ask",
    "Attribute",
    "Count",
    "DistinctCount",
    "EventWithin",
    "ExplicitOutcome",
    "HoeffdingTree",
    "Last",
    "LastValue",
    "Linear",
    "Logistic",
    "Max",
    "Mean",
    "Min",
    "PriorRate",
    "Problem",
    "Ratio",
    "Sum",
    "Target",
    "TimeSince",
    "UseCase",
    "check",
    "load_use_case",
    "read_use_case",
]
