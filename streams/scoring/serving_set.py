"""The serving set of a target in a partition: per arm, the version that it was switched to, and its fallbacks."""

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import NamedTuple

from streams.models.declaration import Model
from streams.scoring.model_cache import ServedModels
from streams.targets.observations import Answer
from streams.targets.plan import TargetPlan
from streams.timeline import Serving

REASONS = 3
"""Number of top contributions in a prediction."""
Reasons = Sequence[tuple[str, float]]
"""Contributions: (feature, signed value), strongest first."""


class ArmServing(NamedTuple):
    """How an arm answers.

    explained: whether the first choice also returns its reasons.
    choices: (version, model) of the served version, then of its predecessor, then of the untrained model."""

    arm: str
    explained: bool
    choices: tuple[tuple[str, Model], ...]


def serving_set(plan: TargetPlan, serving: Mapping[str, Serving], models: ServedModels) -> list[ArmServing]:
    """Return the serving set of a target, in the order of its arms. The served versions must be loaded."""
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
    """Return the answer of the first choice whose answer is finite; 0 if there is none.

    Any choice but the first is a fallback, and has no reasons."""
    for at, (version, model) in enumerate(arm_serving.choices):
        value, reasons = _answer_of(model, vector, arm_serving.explained and at == 0)
        if value is not None:
            return (arm_serving.arm, version, value, at > 0), reasons
    return (arm_serving.arm, arm_serving.choices[-1][0], 0.0, True), ()


def _answer_of(model: Model, vector: list[float], explained: bool) -> tuple[float | None, Reasons]:
    """Return the model's answer, with its reasons if `explained`; None when it raises or is not finite.

    A bad version must not stop the stream: the caller falls back and marks the answer."""
    try:
        found, contributions = model.explain(vector, REASONS) if explained else (model.predict(vector), [])
        value = float(found)
        reasons = [reason for reason in contributions if isfinite(reason[1])]
    except Exception:
        return None, ()
    return (value, reasons) if isfinite(value) else (None, ())
