"""Stores in memory, for tests, replay and verify. They pass the same contract suite as the Redis stores."""

from bisect import bisect_left, insort
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from streams.identity import Position
from streams.state.rules import check_positions, check_timers, conflict
from streams.state.store import CustomerBytes, PartitionCommit, Positions


@dataclass(slots=True)
class _Partition:
    """The content of one partition. `order`: its timers as (due, customer bytes), sorted."""

    position: Position
    header: bytes
    states: dict[str, bytes] = field(default_factory=dict)
    observations: dict[str, bytes] = field(default_factory=dict)
    timers: dict[str, int] = field(default_factory=dict)
    order: list[tuple[int, bytes]] = field(default_factory=list)

    def set_timer(self, customer: str, due: int | None) -> None:
        """Set the customer's timer; None removes it."""
        name = customer.encode()
        old = self.timers.get(customer)
        if old == due:
            return
        if old is not None:
            del self.order[bisect_left(self.order, (old, name))]
            del self.timers[customer]
        if due is not None:
            insort(self.order, (due, name))
            self.timers[customer] = due


class MemoryScoringStore:
    """A ScoringStore in memory."""

    def __init__(self) -> None:
        self._partitions: dict[int, _Partition] = {}

    def positions(self, partitions: Sequence[int]) -> Mapping[int, tuple[Position, bytes]]:
        """Return position and header per partition that was ever committed."""
        held = ((number, self._partitions.get(number)) for number in partitions)
        return {number: (part.position, part.header) for number, part in held if part is not None}

    def _check(self, partitions: Iterable[int], at: Positions | None) -> None:
        if at is not None:
            held = {number: self._partitions.get(number) for number in partitions}
            check_positions(at, {number: part.position if part else None for number, part in held.items()})

    def load(
        self, wanted: Mapping[int, Sequence[str]], at: Positions | None = None
    ) -> Mapping[int, Mapping[str, CustomerBytes]]:
        """Return state and observations of these customers; CustomerBytes() for an unknown one."""
        self._check((number for number, customers in wanted.items() if customers), at)
        result = {}
        for number, customers in wanted.items():
            part = self._partitions.get(number)
            states = part.states if part else {}
            observations = part.observations if part else {}
            result[number] = {
                customer: CustomerBytes(states.get(customer), observations.get(customer)) for customer in customers
            }
        return result

    def due(self, partition: int, until: int, limit: int, at: Positions | None = None) -> Sequence[tuple[int, str]]:
        """Return the first `limit` timers with due <= `until` (ms), ordered by (due, customer bytes)."""
        self._check([partition], at)
        part = self._partitions.get(partition)
        if part is None:
            return []
        # Nothing sorts between (until, any name) and (until + 1, the empty name).
        end = min(bisect_left(part.order, (until + 1, b"")), max(limit, 0))
        return [(due, name.decode()) for due, name in part.order[:end]]

    def commit(self, commits: Sequence[PartitionCommit]) -> None:
        """Write every partition whose position is as expected. Raises PositionConflict, which names the others."""
        check_timers(commits)
        conflicts = [f"partition {commit.partition}" for commit in commits if not self._commit(commit)]
        if conflicts:
            raise conflict(conflicts)

    def _commit(self, commit: PartitionCommit) -> bool:
        part = self._partitions.get(commit.partition)
        stored = part.position if part else None
        if stored == commit.position:
            return True
        if stored != commit.expected:
            return False
        if part is None:
            part = self._partitions[commit.partition] = _Partition(commit.position, commit.header)
        part.position, part.header = commit.position, commit.header
        _merge(part.states, commit.states)
        _merge(part.observations, commit.observations)
        for customer, due in commit.timers.items():
            part.set_timer(customer, due)
        return True

    def customers(self, partitions: Sequence[int]) -> Mapping[int, Sequence[str]]:
        """Return all customers with a state or observations in each of these partitions, sorted."""
        held = {number: self._partitions.get(number) for number in partitions}
        return {
            number: sorted(part.states.keys() | part.observations.keys()) if part else []
            for number, part in held.items()
        }

    def clear(self, partitions: Sequence[int]) -> None:
        """Delete these partitions."""
        for partition in partitions:
            self._partitions.pop(partition, None)


class MemoryStageStore:
    """A StageStore in memory."""

    def __init__(self) -> None:
        self._blobs: dict[tuple[str, str, int], tuple[Position, bytes]] = {}

    def read(self, stage: str, topic: str, partition: int) -> tuple[Position, bytes] | None:
        """Return the last commit; None when there was none."""
        return self._blobs.get((stage, topic, partition))

    def position(self, stage: str, topic: str, partition: int) -> Position | None:
        """Return the position of the last commit."""
        held = self.read(stage, topic, partition)
        return None if held is None else held[0]

    def commit(
        self,
        stage: str,
        topic: str,
        partition: int,
        expected: Position | None,
        position: Position,
        blob: bytes,
    ) -> None:
        """Write both if the stored position is `expected` or already `position`. Raises PositionConflict otherwise."""
        place = (stage, topic, partition)
        held = self._blobs.get(place)
        stored = held[0] if held else None
        if stored == position:
            return
        if stored != expected:
            raise conflict([f"{stage} on {topic}/{partition}"])
        self._blobs[place] = (position, blob)


def _merge(held: dict[str, bytes], changes: Mapping[str, bytes]) -> None:
    """Apply a change: b"" deletes. None never stands in `changes`."""
    for customer, value in changes.items():
        if value:
            held[customer] = value
        else:
            held.pop(customer, None)
