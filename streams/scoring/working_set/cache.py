"""Caches customers in memory between slices, in their stored form."""

from collections.abc import Iterable, Sequence
from itertools import islice

from streams.features.plan import FeaturePlan
from streams.scoring.working_set.customer import CustomerWork
from streams.scoring.working_set.partition import PartitionWork
from streams.state.store import CustomerBytes, PartitionCommit, ScoringStore
from streams.targets.observations import Observations

LARGEST_KEPT = 16 * 1024
"""The maximum packed size of a cached customer, bytes. Larger customers are rare and are read again, so that the number
of customers bounds the size of the cache."""


class CustomerCache:
    """The packed customers of the partitions that this worker owns. Evicts the least recently used."""

    def __init__(self, store: ScoringStore, plan: FeaturePlan, lateness: int, limit: int) -> None:
        """`lateness` in ms. `limit`: maximum number of customers over all partitions; 0 reads every slice from the
        store."""
        self._store = store
        self._plan = plan
        self._lateness = lateness
        self._limit = limit
        self._kept: dict[tuple[int, str], CustomerBytes] = {}

    def clear(self) -> None:
        """Forget everything: after an assignment or a conflict only the store is right."""
        self._kept.clear()

    def fetch(self, wanted: Sequence[tuple[PartitionWork, Iterable[str]]]) -> None:
        """Load customers, in one round trip, so that they can be opened.

        Raises PositionConflict when the store's positions differ from those of the work: cached and stored customers
        would not belong together."""
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
        """Return a loaded customer, unpacked once per slice."""
        customer = work.customers.get(customer_id)
        if customer is None:
            packed = work.packed[customer_id]
            known = packed.state is not None
            if packed.state is None:
                state = self._plan.new_state()
            else:
                state = self._plan.stored.unpack(packed.state, work.header.retained)
            customer = CustomerWork(customer_id, state, Observations.unpack(packed.observations), known, None, None)
            customer.timer = customer.planned = customer.next_due(self._lateness)
            if customer.timer is not None:
                work.agenda.add(customer.timer, customer_id)
            work.customers[customer_id] = customer
        work.agenda.touched.add(customer_id)
        return customer

    def committed(self, works: Sequence[PartitionWork], commits: Sequence[PartitionCommit]) -> None:
        """Take over what a committed slice has read and written."""
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
