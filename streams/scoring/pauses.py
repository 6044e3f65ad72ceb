"""Pauses of a partition's time, and empty time that a tick passes over.

While time is paused, nothing is asked, nothing closes, and open questions get more time: silence of the producers is no
answer of the customers."""

from collections.abc import Mapping, Sequence

from schemas.records import PauseRecord, TickRecord
from streams.scoring.working_set.customer import CustomerWork
from streams.scoring.working_set.partition import PartitionWork
from streams.targets.plan import TargetPlan
from streams.timeline import PartitionHeader, extended, paused_time

LONG = 1 << 62
"""More ms than any time lies back."""


class Pauses:
    """Obeys pauses, and gives open questions the time that they cost."""

    def __init__(self, targets: Sequence[TargetPlan], lateness: int) -> None:
        """`lateness`: the allowed lateness, ms."""
        self._horizons: Mapping[str, int] = {plan.name: plan.horizon for plan in targets if plan.horizon is not None}
        self._longest = max(self._horizons.values(), default=0) + lateness

    def obey(self, header: PartitionHeader, record: PauseRecord) -> None:
        """Pause time, or let it go on from the next tick. A record that is not above the last one changes nothing."""
        if record["number"] <= header.pause_number:
            return
        header.pause_number = record["number"]
        if record["paused"]:
            header.pause_is_automatic = record["automatic"] and (header.pause_is_automatic or not header.is_paused)
            if not header.is_paused:
                header.is_paused, header.pause_events = True, header.events
                if header.last_tick is not None and not header.pause_is_open:
                    header.pauses.append([header.last_tick, None])
        elif header.pause_is_automatic or not record["automatic"]:
            header.is_paused = header.pause_is_automatic = False

    def passes(self, header: PartitionHeader, tick: TickRecord) -> None:
        """Note what an accepted tick passes over, before it becomes the partition's time."""
        if header.pause_is_open or tick["gap"]:
            header.gap_from = header.last_tick
        if header.pause_is_open:
            header.pauses[-1][1] = tick["time"]
        if header.pauses:
            self._forget(header)

    def _forget(self, header: PartitionHeader) -> None:
        """Forget the pauses that no open question has met: all that were asked before their end are closed."""
        now = header.last_tick
        if now is None:
            return
        keep = self._longest + paused_time(header.pauses, -LONG, now)
        while header.pauses and (end := header.pauses[0][1]) is not None and end + keep < now:
            del header.pauses[0]

    def extend(self, work: PartitionWork, customer: CustomerWork, until: int | None) -> None:
        """Move the ends of a customer's open questions by the time for which it was paused meanwhile.

        Called where a record or a timer touches the customer, and nowhere else: what is stored must not depend on where
        a slice begins. until: time of the record in hand, ms, up to which a pause that is still open counts; None for a
        timer, which fires only when none is."""
        pauses = work.header.pauses
        for observation in customer.observations.waiting:
            horizon = self._horizons.get(observation.target)
            if observation.end is None or horizon is None:
                continue
            end = extended(observation.asked_at, horizon, pauses, until)
            if end != observation.end:
                observation.end = end
                customer.observations_changed = True
                work.agenda.touched.add(customer.customer_id)
