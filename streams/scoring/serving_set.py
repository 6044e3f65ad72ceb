"""The serving set of a target in a partition: per arm, the version that it was switched to, and its fallbacks."""

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import NamedTuple

from streams.log import Cause
from streams.models.declaration import Model
from streams.scoring.model_cache import OtherInputs, ServedModels
from streams.scoring.working_set.answer_counts import AnswerCounts
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
    choices: (version, model) of the served version, then of its predecessor, then of the untrained model.
    target, counts: where its fallbacks are counted."""

    arm: str
    explained: bool
    choices: tuple[tuple[str, Model], ...]
    target: str
    counts: AnswerCounts


def serving_set(
    plan: TargetPlan, serving: Mapping[str, Serving], models: ServedModels, counts: AnswerCounts
) -> list[ArmServing]:
    """Return the serving set of a target, in the order of its arms. The served versions must be loaded.

    `counts`: where its answers are counted from here on."""
    arms = []
    counts.begin(plan.name, [a.name for a, key in zip(plan.arms, plan.serving_keys, strict=True) if key not in serving])
    for index, arm in enumerate(plan.arms):
        choices = []
        served = serving.get(plan.serving_keys[index])
        if served is not None:
            choices.append((served.version, models.loaded(served.snapshot)))
            if served.previous is not None:
                choices.append((served.previous[0], models.loaded(served.previous[1])))
        choices.append(models.untrained(plan, index))
        explained = served is not None and index == plan.champion
        arms.append(ArmServing(arm.name, explained, tuple(choices), plan.name, counts))
    return arms


def answer(arm_serving: ArmServing, vector: list[float]) -> tuple[Answer, Reasons]:
    """Return the answer of the first choice whose answer is finite; 0 if there is none.

    Any choice but the first is a fallback, and has no reasons."""
    arm, explained, choices, target, counts = arm_serving
    for at, (version, model) in enumerate(choices):
        value, reasons = _answer_of(model, vector, explained and at == 0)
        if not isinstance(value, Cause):
            return (arm, version, value, at > 0), reasons
        if at == 0 and len(choices) > 1:  # an untrained arm is counted all the same
            counts.add(target, arm, value)
    return (arm, choices[-1][0], 0.0, True), ()


def _answer_of(model: Model, vector: list[float], explained: bool) -> tuple[float | Cause, Reasons]:
    """Return the model's answer, with its reasons if `explained`; a Cause when it raises or is not finite.

    A bad version must not stop the stream: the caller falls back and marks the answer."""
    try:
        found, contributions = model.explain(vector, REASONS) if explained else (model.predict(vector), [])
        value = float(found)
        reasons = [reason for reason in contributions if isfinite(reason[1])]
    except OtherInputs:
        return Cause.OTHER_INPUTS, ()
    except Exception:
        return Cause.FAILED, ()
    return (value, reasons) if isfinite(value) else (Cause.NOT_FINITE, ())
