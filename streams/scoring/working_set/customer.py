"""One customer as a slice works on it."""

from dataclasses import dataclass

from streams.features.customer_state import CustomerState
from streams.targets.observations import Observations
from streams.targets.plan import NEVER


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
