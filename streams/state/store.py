"""Where scoring and the other stages keep state and position together, whoever implements it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from streams.identity import Position


@dataclass(slots=True)
class CustomerBytes:
    """What is stored of one customer; None where nothing is."""

    state: bytes | None = None
    observations: bytes | None = None


@dataclass(slots=True)
class PartitionCommit:
    """All that one slice changes in one partition, written atomically if the stored position is `expected`.

    `header` is the partition's own packed state (clock, serving versions, counters). In `customers`
    None leaves a part as it is and b"" deletes it. `timers` holds the customer's next due time in ms
    of tick time, None removes it."""

    partition: int
    expected: Position | None
    position: Position
    header: bytes
    states: dict[str, bytes] = field(default_factory=dict)
    observations: dict[str, bytes] = field(default_factory=dict)
    timers: dict[str, int | None] = field(default_factory=dict)


Positions = Mapping[int, Position | None]
"""Per partition the position that its stored state must reflect; None: never committed."""


class ScoringStore(Protocol):
    """State of scoring, one log epoch. All methods may raise Unavailable."""

    def positions(self, partitions: Sequence[int]) -> Mapping[int, tuple[Position, bytes]]:
        """Position and header per partition; partitions never committed are left out."""
        ...

    def load(
        self, wanted: Mapping[int, Sequence[str]], at: Positions | None = None
    ) -> Mapping[int, Mapping[str, CustomerBytes]]:
        """The customers named, per partition, in one round trip. PositionConflict when the stored position of one of
        these partitions is not that of `at`, read at the same moment: nothing may be computed on a mixture."""
        ...

    def due(self, partition: int, until: int, limit: int, at: Positions | None = None) -> Sequence[tuple[int, str]]:
        """The first `limit` timers with due <= until, ordered by (due, customer as UTF-8 bytes); `at` as in `load`."""
        ...

    def commit(self, commits: Sequence[PartitionCommit]) -> None:
        """Each partition atomically. A partition whose stored position already equals `position` counts as
        written (our own retry). Raises PositionConflict when any partition's stored position was neither;
        the others may have been written."""
        ...

    def customers(self, partitions: Sequence[int]) -> Mapping[int, Sequence[str]]:
        """All customers known in each of these partitions, sorted (for verify and tools; may be slow)."""
        ...

    def clear(self, partitions: Sequence[int]) -> None:
        """Forget all of these partitions, positions first; nobody else may be at work on them (may be slow)."""
        ...


class StageStore(Protocol):
    """Position and one blob per (stage, topic, partition), for judging, monitoring and the like."""

    def read(self, stage: str, topic: str, partition: int) -> tuple[Position, bytes] | None:
        """What was last committed; None when nothing was. Raises Unavailable."""
        ...

    def commit(
        self, stage: str, topic: str, partition: int, expected: Position | None, position: Position, blob: bytes
    ) -> None:
        """Write both if the stored position is `expected` or already `position`; else PositionConflict."""
        ...
