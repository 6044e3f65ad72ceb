"""A customer in a slice."""

from dataclasses import dataclass

from streams.features.customer_state import CustomerState
from streams.targets.observations import Observations
from streams.targets.plan import NEVER


@dataclass(slots=True)
class CustomerWork:
    """An unpacked customer, and which of its parts changed in this slice."""

    customer_id: str
    state: CustomerState
    observations: Observations
    known: bool
    timer: int | None
    """The stored due time, ms of tick time."""
    planned: int | None
    """The due time in the slice's agenda."""
    state_changed: bool = False
    observations_changed: bool = False

    def next_due(self, lateness: int) -> int | None:
        """Return the tick time (ms) of this customer's next timer; None when there is none."""
        planned = self.state.due
        due = min(planned.values()) if planned else NEVER
        close = self.observations.next_close(lateness)
        if close is not None and close < due:
            due = close
        return None if due == NEVER else due
