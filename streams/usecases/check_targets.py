"""Checks the targets of a use case, and their arms."""

import re
from collections.abc import Iterator, Sequence
from typing import Any, get_args

from schemas.topics import MOST_TARGETS
from streams.features.fields import Events, Problem, duration_problem, event_problems, number_problem, one_of
from streams.models.arms import Arm, Role
from streams.models.declaration import Kind
from streams.models.factory import model_problem
from streams.targets.declaration import Ask, Target
from streams.targets.outcome import Outcome
from streams.targets.registry import OUTCOMES

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,99}")


def target_problems(targets: Sequence[Any], names: Sequence[str], events: Events) -> Iterator[Problem]:
    """Return the problems of all targets. `names`: those of the features."""
    if not targets:
        yield Problem("use case", "targets", "there is none; declare at least one Target.")
    if len(targets) > MOST_TARGETS:
        text = f"there are {len(targets)}, and a log has room for {MOST_TARGETS}; declare fewer, or two use cases."
        yield Problem("use case", "targets", text)
    seen: set[str] = set()
    for number, target in enumerate(targets):
        if not isinstance(target, Target):
            yield Problem("use case", f"targets[{number}]", f"{target!r} is no target; declare Target(...).")
            continue
        place = f"target {target.name!r}"
        yield from _name_problems(place, target.name, seen)
        yield from _ask_problems(place, target.ask, events)
        yield from _outcome_problems(place, target, events)
        yield from _number_problems(place, target)
        yield from _feature_problems(place, target, names)
        yield from _arms_problems(place, target, names)


def _name_problems(place: str, name: Any, seen: set[str]) -> Iterator[Problem]:
    if not isinstance(name, str) or not NAME.fullmatch(name):
        yield Problem(place, "name", "write letters, digits, - and _, beginning with a letter, 100 at most.")
    elif name in seen:
        yield Problem(place, "name", f"{name!r} is declared twice; rename one of them.")
    else:
        seen.add(name)


def _ask_problems(place: str, ask: Any, events: Events) -> Iterator[Problem]:
    if not isinstance(ask, Ask):
        yield Problem(place, "ask", f"{ask!r} is not an Ask; write Ask(on=('Event',)) or Ask(every='30d').")
        return
    if not ask.on and ask.every is None:
        yield Problem(place, "ask", "nothing asks it; give on=('Event',) or every='30d'.")
    yield from event_problems(events, place, "ask.on", ask.on)
    yield from event_problems(events, place, "ask.until", ask.until)
    for name in ("every", "while_active"):
        text = getattr(ask, name)
        wrong = None if text is None else duration_problem(text)
        if wrong:
            yield Problem(place, f"ask.{name}", wrong)
    for name in ("while_active", "until"):
        if getattr(ask, name) and ask.every is None:
            yield Problem(place, f"ask.{name}", "it limits a schedule and there is none; give every='30d' or drop it.")


def _outcome_problems(place: str, target: Target, events: Events) -> Iterator[Problem]:
    outcome, kinds = target.outcome, get_args(Kind)
    name = type(outcome).__name__
    if target.kind not in kinds:
        yield Problem(place, "kind", f"{target.kind!r} is not a kind; {one_of(target.kind, kinds)}")
    if not isinstance(outcome, Outcome):
        yield Problem(place, "outcome", f"{outcome!r} is no outcome; use one of {', '.join(OUTCOMES)}.")
        return
    if OUTCOMES.get(name) is not type(outcome):
        yield Problem(place, "outcome", f"{name} is not registered; add its line to streams/targets/registry.py.")
    if target.kind in kinds and target.kind not in outcome.fits:
        others = ", ".join(other for other, each in OUTCOMES.items() if target.kind in each.fits)
        (fit,) = outcome.fits
        text = f"{name} labels {fit} targets only; declare kind={fit!r}, or use one of {others}."
        yield Problem(place, "kind", text)
    yield from outcome.problems(place, target.kind, events)


def _number_problems(place: str, target: Target) -> Iterator[Problem]:
    wrong = None if target.learn_corrections is None else duration_problem(target.learn_corrections)
    if wrong:
        yield Problem(place, "learn_corrections", wrong)
    limits = (
        ("observe", target.observe, 1e-9, 1.0, False),
        ("serve_every", target.serve_every, 1, 10**9, True),
        ("alert_delta", target.alert_delta, 1e-12, 0.5, False),
    )
    for name, value, low, high, whole in limits:
        wrong = number_problem(value, low, high, whole)
        if wrong:
            yield Problem(place, name, wrong)


def _feature_problems(place: str, target: Target, names: Sequence[str]) -> Iterator[Problem]:
    if target.features is None:
        return
    if (
        not isinstance(target.features, tuple | list)
        or not target.features
        or len(set(target.features)) != len(target.features)
    ):
        yield Problem(place, "features", "write a tuple of feature names, none twice; None means all of them.")
        return
    for name in target.features:
        if name not in names:
            yield Problem(place, "features", f"no feature {name!r} is declared; {one_of(name, names)}")


def _arms_problems(place: str, target: Target, names: Sequence[str]) -> Iterator[Problem]:
    if not isinstance(target.arms, tuple | list) or not all(isinstance(arm, Arm) for arm in target.arms):
        yield Problem(place, "arms", "write a tuple of Arm(name, model, role).")
        return
    champions = [arm.name for arm in target.arms if arm.role == "champion"]
    if len(champions) != 1:
        which = f"{', '.join(champions)} are champions" if champions else "no arm is champion"
        yield Problem(place, "arms", f"{which}; give exactly one arm role='champion'.")
    seen: set[str] = set()
    seen_features = names if target.features is None else target.features
    for arm in target.arms:
        of_arm = f"{place}, arm {arm.name!r}"
        yield from _name_problems(of_arm, arm.name, seen)
        yield from _arm_problems(of_arm, arm, target, seen_features)


def _arm_problems(place: str, arm: Arm, target: Target, names: Sequence[str]) -> Iterator[Problem]:
    if arm.role not in get_args(Role):
        yield Problem(place, "role", f"{arm.role!r} is not a role; {one_of(arm.role, get_args(Role))}")
    try:
        wrong = model_problem(arm.model, target.kind, names)
    except TypeError:
        wrong = f"{arm.model!r} has a setting of the wrong type; see its description."
    if wrong:
        yield Problem(place, "model", wrong)
