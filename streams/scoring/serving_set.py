"""Who answers a target's questions: one arm_serving per arm, with the version its partition has switched to and those that
stand in for it."""

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import NamedTuple

from streams.models.declaration import Model
from streams.scoring.model_cache import ServedModels
from streams.targets.observations import Answer
from streams.targets.plan import TargetPlan
from streams.timeline import Serving

REASONS = 3
"""Top contributions told with a prediction."""
Reasons = Sequence[tuple[str, float]]
"""Contributions: (feature, signed value), strongest first."""


class ArmServing(NamedTuple):
    """`explained`: whether the first choice also tells its reasons. `choices`: (version, model), the served one first,
    then its predecessor, then the untrained."""

    arm: str
    explained: bool
    choices: tuple[tuple[str, Model], ...]


def serving_set(plan: TargetPlan, serving: Mapping[str, Serving], models: ServedModels) -> list[ArmServing]:
    """A target's arms, in the order of its arms; the versions served have been made ready before."""
    arms = []
    for index, arm in enumerate(plan.arms):
        choices = []
        served = serving.get(plan.serving_keys[index])
        if served is not None:
            choices.append((served.version, models.loaded(served.snapshot)))
            if served.previous is not None:
                choices.append((served.previous[0], models.loaded(served.previous[1])))
        choices.append(models.untrained(plan, index))
        arms.append(ArmServing(arm.name, served is not None and index == plan.champion, tuple(choices)))
    return arms


def answer(arm_serving: ArmServing, vector: list[float]) -> tuple[Answer, Reasons]:
    """What the first choice says that says something finite; another than the first is a fallback, and has no reasons
    to tell. Where none does, 0."""
    for at, (version, model) in enumerate(arm_serving.choices):
        value, reasons = _told(model, vector, arm_serving.explained and at == 0)
        if value is not None:
            return (arm_serving.arm, version, value, at > 0), reasons
    return (arm_serving.arm, arm_serving.choices[-1][0], 0.0, True), ()


def _told(model: Model, vector: list[float], explained: bool) -> tuple[float | None, Reasons]:
    """The model's answer, with its reasons if asked for; None when it fails or is not finite, whatever the reason: a
    bad version must not stop the stream, the caller falls back and says so."""
    try:
        found, contributions = model.explain(vector, REASONS) if explained else (model.predict(vector), [])
        value = float(found)
        reasons = [reason for reason in contributions if isfinite(reason[1])]
    except Exception:
        return None, ()
    return (value, reasons) if isfinite(value) else (None, ())
