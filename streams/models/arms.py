"""Arms: the named models of a target."""

from dataclasses import dataclass
from typing import Literal

from streams.models.declaration import Declaration

Role = Literal["champion", "challenger", "shadow", "naive"]


@dataclass(frozen=True)
class Arm:
    """A named model of a target. Exactly one arm is the champion, whose answer is the prediction's value."""

    name: str
    model: Declaration
    role: Role = "challenger"
