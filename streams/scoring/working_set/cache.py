"""The customers that a worker keeps in memory between slices, as they are stored."""

from collections.abc import Iterable, Sequence
from itertools import islice

from streams.features.plan import FeaturePlan
from streams.scoring.working_set.customer import CustomerWork
from streams.scoring.working_set.partition import PartitionWork
from streams.state.store import CustomerBytes, PartitionCommit, ScoringStore
from streams.targets.observations import Observations

LARGEST_KEPT = 16 * 1024
"""Packed bytes of a customer that the cache keeps: larger ones, of which there are few, are read again, so that its
size is bounded by the number of customers."""


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
                work.agenda.add(customer.timer, customer_id)
            work.customers[customer_id] = customer
        work.agenda.touched.add(customer_id)
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
