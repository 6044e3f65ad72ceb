"""Whether a model learns examples of former definitions, and how often it serves there."""

import json

from streams.models.inputs import arm_inputs


def serving_interval(theirs: str, ours: str, target: str, arm: str) -> int:
    """Return `serve_every` under the definitions `theirs`; 0 unless they declare the arm as `ours` do.

    theirs, ours: definitions of deployments, as JSON. The arm's model and what it reads must be declared alike."""
    then, now = (arm_inputs(definitions).get((target, arm)) for definitions in (theirs, ours))
    if then is None or now is None or (then.reads, then.digest, then.declared) != (now.reads, now.digest, now.declared):
        return 0
    return next(int(each["serve_every"]) for each in json.loads(theirs)["targets"] if each["name"] == target)
