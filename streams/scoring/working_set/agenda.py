"""The timers of a partition that a slice considers, in the order in which they fire."""

from collections.abc import Iterable, Mapping
from heapq import heappop, heappush

from streams.scoring.working_set.customer import CustomerWork

FAR = 1 << 52
"""A time in ms after every due time, exact as a double."""


Timer = tuple[int, bytes, str]
"""Due time (ms of tick time), customer in UTF-8, customer. Timers fire in this order."""


class Agenda:
    """The present timers of the slice's customers, and timers that were read from the store.

    A customer's due time may change during the slice. The agenda then holds a second timer of that customer. The first
    one is void, and is dropped when it reaches the top."""

    __slots__ = ("_customers", "_read_until", "_timers", "touched")

    def __init__(self, customers: Mapping[str, CustomerWork]) -> None:
        """`customers`: those of the slice; the caller keeps adding to them."""
        self._customers = customers
        self._timers: list[Timer] = []
        self._read_until: tuple[int, bytes] | None = None
        self.touched: set[str] = set()
        """Customers whose due time may differ from that in the agenda."""

    def add(self, due: int, customer_id: str) -> None:
        """Add a timer; `due` in ms of tick time."""
        heappush(self._timers, (due, customer_id.encode(), customer_id))

    def pop(self) -> Timer:
        """Remove the first timer, which `first` has returned."""
        return heappop(self._timers)

    def refresh(self, lateness: int) -> None:
        """Add the timers of customers that were touched since the last call; `lateness` in ms."""
        for customer_id in self.touched:
            customer = self._customers[customer_id]
            due = customer.next_due(lateness)
            if due != customer.planned:
                customer.planned = due
                if due is not None:
                    self.add(due, customer_id)
        self.touched.clear()

    def first(self, until: int) -> Timer | None:
        """Return the first timer due by `until`, or None. The store may hold an earlier one while `must_read`."""
        timers = self._timers
        while timers and self._is_void(timers[0]):
            heappop(timers)
        return timers[0] if timers and timers[0][0] <= until else None

    def _is_void(self, timer: Timer) -> bool:
        customer = self._customers.get(timer[2])
        return customer is not None and customer.planned != timer[0]

    def must_read(self, until: int, first: Timer | None) -> bool:
        """Return whether unread timers of the store may come before `first`, or before `until` if it is None."""
        seen = self._read_until
        return seen is None or (seen[0] <= until and (first is None or first[:2] > seen))

    def take(self, stored: Iterable[tuple[int, str]], complete: bool) -> None:
        """Add timers that were read from the store, earliest first. `complete`: there are no others."""
        last = (FAR, b"")
        for due, customer_id in stored:
            last = (due, customer_id.encode())
            customer = self._customers.get(customer_id)
            if customer is None:
                self.add(due, customer_id)
            elif customer.timer != due:
                customer.timer = due  # stored under other definitions: the commit writes the correct one
                customer.state_changed = True
        self._read_until = (FAR, b"") if complete else last

    def due(self, until: int) -> list[str]:
        """Return the customers that have a timer due by `until`, void ones included."""
        return [customer_id for due, _, customer_id in self._timers if due <= until]
