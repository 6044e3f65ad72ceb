"""A limit on the share of late events: where most are late, a clock or the producers are wrong."""

from collections import deque
from dataclasses import dataclass, field

from agents.formatting import moment, span
from schemas.topics import CUSTOMER_EVENTS
from streams.log import LateEvents, Rejects

WINDOW = 1_000
"""Latest events of a partition over which the share is computed."""
LEAST = 50
"""Fewer events than these say nothing about a share."""


@dataclass(slots=True)
class _Window:
    """The latest slices of a partition as (events, late ones), and their sums."""

    slices: deque[tuple[int, int]] = field(default_factory=deque)
    events: int = 0
    late: int = 0

    def add(self, events: int, late: int) -> None:
        self.slices.append((events, late))
        self.events += events
        self.late += late
        while self.events - self.slices[0][0] >= WINDOW:
            gone, gone_late = self.slices.popleft()
            self.events -= gone
            self.late -= gone_late


class LateLimits:
    """Counts the late events of each partition that a worker owns.

    Partitions are counted apart, so that healthy ones do not hide one whose time is ahead. Counts are in memory: a
    restarted worker counts from zero. Nothing stops: late events are kept, and waiting would not make them less late.
    """

    def __init__(self, share: float) -> None:
        """`share`: 0 to 1, of the last WINDOW events of a partition. 0 sets no limit."""
        self._most = share
        self.begin_anew()

    def begin_anew(self) -> None:
        """Reset all counts, because other partitions are read from now on."""
        self._windows: dict[int, _Window] = {}
        self._over: dict[int, str] = {}

    def add(self, rejects: Rejects) -> None:
        """Count a committed slice."""
        for partition, events in rejects.fine.items():
            if not events or not self._most:
                continue
            window = self._windows.setdefault(partition, _Window())
            late = rejects.late.get(partition)
            window.add(events, late.events if late else 0)
            if window.events < LEAST or window.late <= self._most * window.events:
                self._over.pop(partition, None)
            elif late and partition not in self._over:
                self._over[partition] = self._told(partition, window, late)

    @property
    def problem(self) -> str:
        """What is wrong and what to do; "" while no partition exceeds the limit."""
        return next(iter(self._over.values()), "")

    def _told(self, partition: int, window: _Window, last: LateEvents) -> str:
        share = f"{window.late:,} of the last {window.events:,} events of {CUSTOMER_EVENTS}[{partition}] are late"
        return (
            f"{share}, the last one (offset {last.offset}) by {span(last.behind / 1000)}: the time of the partition is "
            f"{moment(last.tick)}, Kafka's was {moment(last.appended)}. They are kept (`tidecast late-events`) and "
            "change nothing. If that time is right, the producers send old events: publish files in the order of time, "
            "or declare a larger allowed_lateness. If it is ahead, look at the clock of whoever writes the ticks. "
            f"TIDECAST_LATE_SHARE (now {self._most:g}; 0 is no limit) sets the limit."
        )
