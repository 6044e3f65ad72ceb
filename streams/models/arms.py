"""Arms: the named models of a target."""

from dataclasses import dataclass
from typing import Literal

from streams.models.declaration import Declaration

Role = Literal["champion", "challenger", "shadow", "naive"]


@dataclass(frozen=True)
class Arm:
    """A named model of a target.

    name: name of the arm, part of the names of its versions.
    model: the declaration of the model.
    role: "champion" (exactly one arm; its answer is the prediction's value), "challenger" (may become champion),
    "shadow" (is only watched) or "naive" (a baseline)."""

    name: str
    model: Declaration
    role: Role = "challenger"
