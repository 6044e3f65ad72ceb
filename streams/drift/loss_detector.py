"""Defines what a loss detector is: it watches the errors of an arm, example by example.

A loss detector has one file in streams/drift and one line in streams/drift/registry."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True)
class Change:
    """Where the mean loss changed most: its levels before and after, their numbers of examples, and the detector's
    bound on a difference by chance."""

    before: float
    after: float
    examples_before: int
    examples_after: int
    threshold: float


class LossDetector(ABC):
    """A detector of changes in a loss between 0 and 1. Its name stands in alerts and in state and never changes."""

    name: ClassVar[str]

    @abstractmethod
    def __init__(self, delta: float) -> None:
        """`delta`: the target's `alert_delta`, ADWIN's confidence. Smaller means fewer false alarms."""

    @property
    @abstractmethod
    def mean(self) -> float:
        """Return the mean loss at present."""

    @abstractmethod
    def update(self, loss: float) -> Change | None:
        """Add an example's loss; return the change when it detects one, up or down."""

    @abstractmethod
    def pack(self) -> list[Any]:
        """Return the whole state as values for msgpack; equal for equal losses, and of bounded size."""

    @abstractmethod
    def unpack(self, state: list[Any]) -> None:
        """Restore the state that `pack` returned."""
