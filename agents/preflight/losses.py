"""What a change of definitions would lose, per feature, target and arm. Pure: it compares two definitions."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from streams.deployment import changes
from streams.learning.declared import arm_declared

Declared = Mapping[str, Any]


def losses(old: Declared, new: Declared) -> list[str]:
    """Return what is lost when the definitions `new` follow `old` in a log with events, one sentence each.

    old, new: parsed JSON of deployments. Nothing is lost by new events, features, targets and arms beside the old ones,
    nor by other times, roles, intervals and shares."""
    return [*_events(old, new), *_features(old, new), *_targets(old, new)]


def _events(old: Declared, new: Declared) -> Iterator[str]:
    for short in old["events"]:
        if short not in new["events"]:
            yield f"event {short}: no longer declared, so that its events become dead letters"


def _features(old: Declared, new: Declared) -> Iterator[str]:
    now = _named(new["features"])
    for name, feature in _named(old["features"]).items():
        if name not in now:
            yield f"feature {name}: removed, with all that it knows of the customers"
        elif now[name] != feature:
            yield f"feature {name}: {_changed(feature, now[name])}; it would start again from what its new form keeps"


def _targets(old: Declared, new: Declared) -> Iterator[str]:
    now = _named(new["targets"])
    for name, target in _named(old["targets"]).items():
        if name not in now:
            arms = ", ".join(_named(target["arms"]))
            yield f"target {name}: removed, with its open questions and the models of {arms}"
            continue
        if now[name]["outcome"] != target["outcome"]:
            told = _changed(target["outcome"], now[name]["outcome"])
            yield f"target {name}: its outcome changes ({told}), so that its models have learnt another question"
        for arm in _named(target["arms"]):
            yield from _arm(old, new, name, arm)


def _arm(old: Declared, new: Declared, target: str, arm: str) -> Iterator[str]:
    then, now = arm_declared(old, target, arm), arm_declared(new, target, arm)
    if then is None or then == now:
        return
    where = f"target {target}, arm {arm}"
    if now is None:
        yield f"{where}: removed, with its model"
        return
    parts = [_changed(*pair) for pair in zip(then[:2], now[:2], strict=True) if pair[0] != pair[1]]
    if then[2] != now[2]:
        parts.append(_other_inputs(then[2], now[2]))
    yield f"{where}: {', '.join(parts)}; its model cannot go on, and would start untrained"


def _other_inputs(then: list[str], now: list[str]) -> str:
    added = [name for name in now if name not in then]
    gone = [name for name in then if name not in now]
    parts = [f"gets {', '.join(added)}"] * bool(added) + [f"loses {', '.join(gone)}"] * bool(gone)
    return " and ".join(parts) if parts else "gets its features in another order"


def _changed(old: Any, new: Any) -> str:
    return "; ".join(told.removeprefix(": ") for told in changes(json.dumps(old), json.dumps(new)))


def _named(declared: Any) -> dict[str, Any]:
    return {str(one["name"]): one for one in declared}
