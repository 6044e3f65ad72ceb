"""The protocols of stores that keep state and position together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from streams.identity import Position


@dataclass(slots=True)
class CustomerBytes:
    """The stored bytes of one customer; None where there are none."""

    state: bytes | None = None
    observations: bytes | None = None


@dataclass(slots=True)
class PartitionCommit:
    """The changes of one slice in one partition, written atomically if the stored position is `expected`.

    header: the partition's own packed state (clock, serving versions, counters).
    customers: None leaves a part as it is, and b"" deletes it.
    timers: the customer's next due time in ms of tick time; None removes it."""

    partition: int
    expected: Position | None
    position: Position
    header: bytes
    states: dict[str, bytes] = field(default_factory=dict)
    observations: dict[str, bytes] = field(default_factory=dict)
    timers: dict[str, int | None] = field(default_factory=dict)


Positions = Mapping[int, Position | None]
"""Partition → the position that its stored state must reflect; None for a partition that was never committed."""


class ScoringStore(Protocol):
    """The state of scoring in one log epoch. All methods may raise Unavailable."""

    def positions(self, partitions: Sequence[int]) -> Mapping[int, tuple[Position, bytes]]:
        """Return position and header per partition, without partitions that were never committed."""
        ...

    def load(
        self, wanted: Mapping[int, Sequence[str]], at: Positions | None = None
    ) -> Mapping[int, Mapping[str, CustomerBytes]]:
        """Return these customers, per partition, in one round trip.

        Raises PositionConflict when a partition's position, read at the same moment, differs from `at`: nothing may be
        computed on a mixture."""
        ...

    def due(self, partition: int, until: int, limit: int, at: Positions | None = None) -> Sequence[tuple[int, str]]:
        """Return the first `limit` timers with due <= until, by (due, customer as UTF-8 bytes); `at` as in `load`."""
        ...

    def commit(self, commits: Sequence[PartitionCommit]) -> None:
        """Write each partition atomically.

        A partition whose stored position already equals `position` counts as written: it is our own retry. Raises
        PositionConflict when a partition's stored position is neither; the others may have been written."""
        ...

    def customers(self, partitions: Sequence[int]) -> Mapping[int, Sequence[str]]:
        """Return all customers of each of these partitions, sorted. For verify and tools; may be slow."""
        ...

    def clear(self, partitions: Sequence[int]) -> None:
        """Delete these partitions, positions first. No worker may own them. May be slow."""
        ...


class StageStore(Protocol):
    """Position and one blob per (stage, topic, partition), for stages such as judging and monitoring."""

    def read(self, stage: str, topic: str, partition: int) -> tuple[Position, bytes] | None:
        """Return the last commit; None when there was none. Raises Unavailable."""
        ...

    def position(self, stage: str, topic: str, partition: int) -> Position | None:
        """Return the position of the last commit, without reading its blob."""
        ...

    def commit(
        self, stage: str, topic: str, partition: int, expected: Position | None, position: Position, blob: bytes
    ) -> None:
        """Write both if the stored position is `expected` or already `position`. Raises PositionConflict otherwise."""
        ...
