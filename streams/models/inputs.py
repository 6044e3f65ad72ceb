"""What the arms of a use case read: features by name, in the order in which the model takes them, as declared.

It is computed from the definitions of a deployment. A version may serve and learn only where its arm reads the same
features as when it learnt: their columns may move, because models find them by name."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from streams.declarations import as_before
from streams.models.declaration import Declaration
from streams.models.registry import MODELS

MOST_NAMED = 5
"""Most features that a message names of each kind."""
REMEDY = "give the changed arm a new name and deploy, so that it starts untrained"


@dataclass(frozen=True, slots=True)
class ArmInputs:
    """What an arm reads under some definitions.

    vector: names of the target's features, in order. reads: those that the model reads, in its order.
    digest: of the declarations of `reads`, in that order, 16 hex digits.
    declared: the model's settings and the target's kind, as canonical JSON."""

    target: str
    arm: str
    vector: tuple[str, ...]
    reads: tuple[str, ...]
    digest: str
    declared: str

    def obstacle(self, version: str, reads: Sequence[str], digest: str) -> str:
        """Return why a version must neither answer nor learn, with the remedy; "" when it has learnt from these inputs.

        reads: names of the features that its model reads. digest: as in its snapshot; "" before snapshots had one,
        then the names alone are compared."""
        if tuple(reads) == self.reads and digest in ("", self.digest):
            return ""
        why = _difference(reads, self.reads)
        return f"{version} cannot answer or learn under the definitions in force, because {why}; {REMEDY}."


def arm_inputs(definitions: str) -> dict[tuple[str, str], ArmInputs]:
    """Return the inputs of every arm by (target, arm). `definitions`: of a deployment, as JSON."""
    told = json.loads(definitions)
    features = {feature["name"]: feature for feature in told["features"]}
    found = {}
    for target in told["targets"]:
        vector = tuple(target.get("features") or features)
        for arm in target.get("arms", ()):
            reads = _reads(arm["model"], vector)
            digest = blake2b(_text([_whole(name, features) for name in reads]).encode(), digest_size=8).hexdigest()
            declared = _text([arm["model"], target.get("kind")])
            at = (target["name"], arm["name"])
            found[at] = ArmInputs(*at, vector, reads, digest, declared)
    return found


def input_changes(before: str, after: str) -> list[str]:
    """Return why arms could not go on after a change of definitions, one sentence for each arm; none for new arms.

    before, after: definitions of deployments, as JSON. Empty: every arm that both declare reads the same features,
    and learners and scorers go on with its versions."""
    former, present = arm_inputs(before), arm_inputs(after)
    return [
        f"Arm {arm!r} of target {target!r}: {why}."
        for (target, arm), now in present.items()
        if (target, arm) in former and (why := _obstacle(former[target, arm], now))
    ]


def _obstacle(before: ArmInputs, now: ArmInputs) -> str:
    """Return why versions of an arm cannot go on; "" when they can."""
    if before.digest != now.digest or before.reads != now.reads:
        return _difference(before.reads, now.reads)
    if before.declared != now.declared:
        return "its model is declared otherwise than when it learnt"
    if now.reads and before.vector != now.vector and len(before.vector) == len(now.vector):
        # their number would not tell the vectors of questions that are still open from those of later ones
        return "open questions hold its features in another order"
    return ""


def _difference(learnt: Sequence[str], now: Sequence[str]) -> str:
    """Return in words how two lists of features differ; of equal ones, the declarations do."""
    gone = [name for name in learnt if name not in now]
    new = [name for name in now if name not in learnt]
    if gone or new:
        parts = [f"no longer reads {_some(gone)}"] * bool(gone)
        parts += [f"reads {_some(new)}, from which it has not learnt"] * bool(new)
        return f"its arm {' and '.join(parts)}"
    if list(learnt) != list(now):
        return f"its arm reads the features {_some(now)} in another order than when it learnt ({_some(learnt)})"
    return f"a feature that it reads ({_some(now)}) is declared otherwise than when it learnt"


def _some(names: Sequence[str]) -> str:
    left_out = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {left_out} more" if left_out > 0 else "")


def _reads(model: Mapping[str, Any], vector: tuple[str, ...]) -> tuple[str, ...]:
    """Return what a declared model reads of a vector; all of it when this code does not know the model."""
    settings = {name: tuple(v) if isinstance(v, list) else v for name, v in model.items() if name != "class"}
    try:
        kind = MODELS[model["class"]]
        declared: Declaration = kind(**{**as_before(kind), **settings})
    except (KeyError, TypeError):
        return vector
    return tuple(declared.reads(vector))


def _whole(name: str, features: Mapping[str, Any]) -> list[Any]:
    """Return a feature's declaration, and those of the features that it is derived from."""
    return list(_declarations(name, features))


def _declarations(name: str, features: Mapping[str, Any]) -> Iterator[Any]:
    declared = features[name]
    yield declared
    if "of" not in declared:  # a derived feature: its settings name others
        for setting in sorted(declared.keys() - {"class", "name"}):
            part = declared[setting]
            if isinstance(part, str) and part in features:
                yield features[part]


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))
