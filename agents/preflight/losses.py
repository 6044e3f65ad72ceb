"""What a change of definitions would lose, per feature, target and arm. Pure: it compares two definitions."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from streams.deployment import changes
from streams.models.inputs import input_changes

Declared = Mapping[str, Any]


def losses(before: str, after: str) -> list[str]:
    """Return what is lost when the definitions `after` follow `before` in a log with events, one sentence each.

    before, after: of deployments, as JSON. Nothing is lost by new events, features, targets and arms beside the old
    ones that read the same as before, nor by other times, roles, intervals and shares."""
    old, new = json.loads(before), json.loads(after)
    models = [f"{text.rstrip('.')}; its model would be lost" for text in input_changes(before, after)]
    return [*_events(old, new), *_features(old, new), *_targets(old, new), *models]


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
        arms = _named(target["arms"])
        if name not in now:
            yield f"target {name}: removed, with its open questions and the models of {', '.join(arms)}"
            continue
        if now[name]["outcome"] != target["outcome"]:
            told = _changed(target["outcome"], now[name]["outcome"])
            yield f"target {name}: its outcome changes ({told}), so that its models have learnt another question"
        for arm in arms:
            if arm not in _named(now[name]["arms"]):
                yield f"target {name}, arm {arm}: removed, with its model"


def _changed(old: Any, new: Any) -> str:
    return "; ".join(told.removeprefix(": ") for told in changes(json.dumps(old), json.dumps(new)))


def _named(declared: Any) -> dict[str, Any]:
    return {str(one["name"]): one for one in declared}
