"""How definitions declare an arm: whether its model can go on under other ones."""

import json
from collections.abc import Mapping
from typing import Any


def arm_declared(definitions: Mapping[str, Any], target: str, arm: str) -> list[Any] | None:
    """Return an arm's model, its target's kind and the names of its features; None where it is not declared.

    definitions: parsed JSON of a deployment. A model goes on exactly where these are equal."""
    for declared in definitions["targets"]:
        if declared["name"] == target:
            for other in declared["arms"]:
                if other["name"] == arm:
                    names = declared["features"] or [feature["name"] for feature in definitions["features"]]
                    return [other["model"], declared["kind"], names]
    return None


def serving_interval(theirs: str, ours: str, target: str, arm: str) -> int:
    """Return `serve_every` under the definitions `theirs`; 0 unless they declare the arm as `ours` do."""
    parsed = json.loads(theirs)
    declared = arm_declared(parsed, target, arm)
    if declared is None or declared != arm_declared(json.loads(ours), target, arm):
        return 0
    return next(int(each["serve_every"]) for each in parsed["targets"] if each["name"] == target)
