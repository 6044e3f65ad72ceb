"""Arms: the models that a target declares, by name."""

from dataclasses import dataclass
from typing import Literal

from streams.models.declaration import Declaration

Role = Literal["champion", "challenger", "shadow", "naive"]


@dataclass(frozen=True)
class Arm:
    """A named model of a target. Exactly one arm of a target is its champion; the champion's answer is the
    prediction's value."""

    name: str
    model: Declaration
    role: Role = "challenger"
