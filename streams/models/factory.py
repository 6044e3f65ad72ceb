"""Builds the model of an arm, and converts models to the form in snapshots and back."""

from collections.abc import Sequence
from hashlib import sha256
from importlib import import_module
from typing import Any

from streams.errors import DeclarationError, TidecastError
from streams.models.arms import Arm
from streams.models.declaration import Declaration, Kind, Model
from streams.models.registry import MODELS


def model_problem(declared: Any, kind: Kind, names: Sequence[str]) -> str | None:
    """Return why this model does not fit a target of that kind with vectors named `names`; None when it fits."""
    name = type(declared).__name__
    if not isinstance(declared, Declaration):
        return f"{declared!r} is not a model; use one of {', '.join(MODELS)}, as in Logistic()."
    if MODELS.get(name) is not type(declared):
        return f"{name} is not registered; add its line to streams/models/registry.py."
    if kind not in declared.fits:
        others = ", ".join(other for other, each in MODELS.items() if kind in each.fits)
        return f"{name} answers {' and '.join(declared.fits)} targets only; use one of {others}."
    return next(declared.problems(names), None)


def build_model(arm: Arm, target_name: str, kind: Kind, names: Sequence[str], lineage: int) -> Model:
    """Build the untrained model of an arm over vectors named `names`. Its seed follows from (target, arm, lineage).

    Raises DeclarationError when the model does not fit the target (`model_problem`)."""
    problem = model_problem(arm.model, kind, names)
    if problem:
        raise DeclarationError(f"Target {target_name!r}, arm {arm.name!r}: {problem}")
    return arm.model.build(kind, tuple(names), seed_of(target_name, arm.name, lineage))


def seed_of(target: str, arm: str, lineage: int) -> int:
    """Return a seed of 32 bits, the same on every machine and in every process."""
    return int.from_bytes(sha256(f"{target}\0{arm}\0{lineage}".encode()).digest()[:4], "big")


def pack_model(model: Model) -> list[Any]:
    """Return class name and plain state (with a pickle for River's estimators); equal histories give equal bytes."""
    return [type(model).__name__, model.pack()]


def unpack_model(packed: list[Any]) -> Model:
    """Build the model from what `pack_model` returned. Only for bytes whose seal was checked: a pickle runs code.

    Raises TidecastError when no registered model has that class."""
    name, state = packed
    for declared in MODELS.values():
        for path in declared.models:
            module, _, cls = path.rpartition(".")
            if cls == name:
                model: Model = getattr(import_module(module), cls).unpack(state)
                return model
    raise TidecastError(f"no registered model packs itself as {name!r}")
