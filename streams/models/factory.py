"""Which declaration makes which model, and a model's way into a snapshot and back.

River's own models are imported only where they are declared or loaded: it costs the better part of a second, which
a scorer without them should not spend when it comes back."""

from collections.abc import Sequence
from hashlib import sha256
from typing import Any, cast

from streams.models.arms import (
    AdaptiveForest,
    Arm,
    HoeffdingTree,
    Kind,
    LastValue,
    Linear,
    Logistic,
    Model,
    PriorRate,
    check_arm,
)
from streams.models.linear import LinearModel, LogisticModel
from streams.models.naive import LastValueModel, PriorRateModel

CLASSES: dict[str, Any] = {cls.__name__: cls for cls in (LinearModel, LogisticModel, PriorRateModel, LastValueModel)}
"""Model classes by the name that snapshots carry; the others are in streams.models.trees."""


def build_model(arm: Arm, target_name: str, kind: Kind, names: Sequence[str], lineage: int) -> Model:
    """The untrained model of an arm over vectors named `names`; its seed follows from (target, arm, lineage).

    DeclarationError when the model does not fit the target's kind or names a feature that is not there."""
    check_arm(arm, target_name, kind, names)
    declared, binary, names = arm.model, kind == "binary", tuple(names)
    match declared:
        case Logistic():
            return LogisticModel(names, declared.features, declared.l2, declared.learning_rate)
        case Linear():
            return LinearModel(names, declared.features, declared.l2, declared.learning_rate, declared.clip_gradient)
        case PriorRate():
            return PriorRateModel(binary)
        case LastValue():
            return LastValueModel(names, declared.feature, declared.scale, binary)
        case HoeffdingTree() | AdaptiveForest():
            from streams.models.trees import build_tree

            return build_tree(declared, binary, names, seed_of(target_name, arm.name, lineage))


def seed_of(target: str, arm: str, lineage: int) -> int:
    """32 bits, the same on every machine, Python and process."""
    return int.from_bytes(sha256(f"{target}\0{arm}\0{lineage}".encode()).digest()[:4], "big")


def pack_model(model: Model) -> list[Any]:
    """Class name and plain state (a pickle inside, for River's trees): equal bytes for equal histories."""
    return [type(model).__name__, cast(Any, model).pack()]


def unpack_model(packed: list[Any]) -> Model:
    """The model that `pack_model` described. Only for bytes whose seal was checked: a pickle runs code."""
    name, state = packed
    if name in CLASSES:
        return cast(Model, CLASSES[name].unpack(state))
    from streams.models.trees import TREES

    return cast(Model, TREES[name].unpack(state))
