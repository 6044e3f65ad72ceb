"""What one slice works on: a partition's header and the customers it touches, and the cache behind them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from heapq import heappush
from itertools import islice
from typing import Any

from schemas.records import CoordinateRecord
from streams.features.customer_state import CustomerState
from streams.features.plan import FeaturePlan
from streams.identity import Position
from streams.log import Output
from streams.state.store import CustomerBytes, PartitionCommit, ScoringStore
from streams.targets.observations import Observations
from streams.targets.plan import NEVER
from streams.timeline import PartitionHeader

LARGEST_KEPT = 16 * 1024
"""Packed bytes of a customer that the cache keeps: larger ones, of which there are few, are read again, so that its
size is bounded by the number of customers."""


@dataclass(slots=True)
class CustomerWork:
    """One customer, unpacked, and what of it changed in this slice."""

    customer_id: str
    state: CustomerState
    observations: Observations
    known: bool
    timer: int | None
    """Due time as stored, ms of tick time."""
    planned: int | None
    """Due time that the slice's agenda knows."""
    state_changed: bool = False
    observations_changed: bool = False

    def next_due(self, lateness: int) -> int | None:
        """Tick time (ms) at which something happens to this customer by itself; None when nothing will."""
        planned = self.state.due
        due = min(planned.values()) if planned else NEVER
        close = self.observations.next_close(lateness)
        if close is not None and close < due:
            due = close
        return None if due == NEVER else due


@dataclass(slots=True)
class PartitionWork:
    """One slice's work in one partition; `offset` and `ordinal` are those of the record in hand."""

    topic: str
    epoch: int
    partition: int
    expected: Position | None
    header: PartitionHeader
    offset: int
    ordinal: int
    packed: dict[str, CustomerBytes] = field(default_factory=dict)
    """Customers that this slice can open, as stored."""
    customers: dict[str, CustomerWork] = field(default_factory=dict)
    outputs: list[Output] = field(default_factory=list)
    touched: set[str] = field(default_factory=set)
    """Customers whose due time may differ from what the agenda knows."""
    agenda: list[tuple[int, bytes, str]] = field(default_factory=list)
    """Heap of (due, customer in bytes, customer); an entry that is not the customer's planned one is void."""
    agenda_until: tuple[int, bytes] | None = None
    """The agenda has all stored timers up to here; None before the first tick of the slice."""

    panels: dict[int, list[Any]] = field(default_factory=dict)
    """By target index, who answers it (streams.scoring.panel), as of the record in hand."""

    def next_source(self) -> CoordinateRecord:
        """The coordinate (as a record) of the next output of the record in hand."""
        source: CoordinateRecord = {
            "topic": self.topic,
            "epoch": self.epoch,
            "partition": self.partition,
            "offset": self.offset,
            "ordinal": self.ordinal,
        }
        self.ordinal += 1
        return source

    def id_of(self, source: CoordinateRecord) -> str:
        """The id that belongs to a coordinate (streams.identity.Coordinate.id)."""
        return f"{self.epoch}.{self.partition}.{self.offset}.{source['ordinal']}"

    def changes(self, plan: FeaturePlan, lateness: int) -> PartitionCommit:
        """All that changed, packed."""
        commit = PartitionCommit(self.partition, self.expected, Position(self.offset, self.ordinal), self.header.pack())
        for customer_id, work in self.customers.items():
            if work.state_changed:
                commit.states[customer_id] = plan.pack(work.state)
            if work.observations_changed:
                commit.observations[customer_id] = work.observations.pack()
            if work.state_changed or work.observations_changed:
                due = work.next_due(lateness)
                if due != work.timer:
                    commit.timers[customer_id] = due
        return commit


class CustomerCache:
    """The packed customers of the partitions this worker owns, least recently used first out."""

    def __init__(self, store: ScoringStore, plan: FeaturePlan, lateness: int, limit: int) -> None:
        """`lateness` in ms; `limit`: customers kept over all partitions, 0 reads every slice from the store."""
        self._store = store
        self._plan = plan
        self._lateness = lateness
        self._limit = limit
        self._kept: dict[tuple[int, str], CustomerBytes] = {}

    def clear(self) -> None:
        """Forget everything: after an assignment or a conflict the store alone is right."""
        self._kept.clear()

    def fetch(self, wanted: Sequence[tuple[PartitionWork, Iterable[str]]]) -> None:
        """Make customers ready to be opened, in one round trip. PositionConflict when the store is not at the positions
        from which their partitions are worked on: what is kept here and what would be read do not belong together."""
        missing: dict[int, list[str]] = {}
        for work, customers in wanted:
            for customer in customers:
                if customer in work.packed:
                    continue
                kept = self._kept.get((work.partition, customer))
                if kept is None:
                    missing.setdefault(work.partition, []).append(customer)
                else:
                    work.packed[customer] = kept
        if missing:
            works = {work.partition: work for work, _ in wanted}
            for partition, found in self._store.load(missing, {p: w.expected for p, w in works.items()}).items():
                works[partition].packed.update(found)

    def open(self, work: PartitionWork, customer_id: str) -> CustomerWork:
        """A customer fetched before, unpacked once per slice."""
        customer = work.customers.get(customer_id)
        if customer is None:
            packed = work.packed[customer_id]
            known = packed.state is not None
            state = self._plan.unpack(packed.state) if packed.state is not None else self._plan.new_state()
            customer = CustomerWork(customer_id, state, Observations.unpack(packed.observations), known, None, None)
            customer.timer = customer.planned = customer.next_due(self._lateness)
            if customer.timer is not None:
                heappush(work.agenda, (customer.timer, customer_id.encode(), customer_id))
            work.customers[customer_id] = customer
        work.touched.add(customer_id)
        return customer

    def committed(self, works: Sequence[PartitionWork], commits: Sequence[PartitionCommit]) -> None:
        """A slice's commit is done: keep what it read and wrote."""
        kept = self._kept
        for work, commit in zip(works, commits, strict=True):
            for customer, state in commit.states.items():
                work.packed[customer].state = state
            for customer, observations in commit.observations.items():
                work.packed[customer].observations = observations
            for customer, packed in work.packed.items():
                at = (work.partition, customer)
                kept.pop(at, None)
                if len(packed.state or b"") + len(packed.observations or b"") <= LARGEST_KEPT:
                    kept[at] = packed
        for at in list(islice(kept, max(0, len(kept) - self._limit))):
            del kept[at]
