"""Measures what a stage has left to process, and finds out why nothing moves. It reads no clock and no server."""

from collections.abc import Mapping
from dataclasses import dataclass

from agents.kafka.log_ends import LogEnd, open_transaction
from streams.log import TopicPartition

OPEN_S = 5.0
"""Seconds for which a transaction may hold back all records after it. Ordinary ones last milliseconds."""
IDLE_S = 10.0
"""Seconds for which records may wait while the stage does nothing."""
BUSY_S = 60.0
"""Seconds for which records may wait while the stage works on one batch."""
ABSENT_S = 5.0
"""Seconds for which a partition may be without a leader, as while a broker restarts."""


@dataclass(frozen=True, slots=True)
class Stall:
    """Why a partition does not move, as far as offsets show it, and since when (seconds)."""

    why: str
    offset: int
    since: float


class Progress:
    """How far a stage has worked in the partitions that it owns."""

    def __init__(self, name: str, servers: str = "", prefix: str = "") -> None:
        """`name`: of the stage. `servers`, `prefix`: Kafka's address and the topics' prefix, for the sentences."""
        self._name = name
        self._servers = servers
        self._prefix = prefix
        self._reached: dict[TopicPartition, int] = {}
        self._stalls: dict[TopicPartition, Stall] = {}
        self.known: set[TopicPartition] = set()
        """Partitions owned now or before. They must not disappear."""

    def begin(self, starts: Mapping[TopicPartition, int]) -> None:
        """Own these partitions, and no others, from these offsets on."""
        self._reached = dict(starts)
        self.known |= starts.keys()

    def reach(self, place: TopicPartition, offset: int) -> None:
        """Note that nothing is left to process before this offset. Ignored for a partition that is not owned."""
        before = self._reached.get(place)
        if before is not None and offset > before:
            self._reached[place] = offset

    def reached(self) -> dict[TopicPartition, int]:
        """Return the offset that was reached in each partition owned. Take it before the ends are read."""
        return dict(self._reached)

    def excuse(self) -> None:
        """Forget for how long records have waited: the stage itself waits for something."""
        self._stalls.clear()

    def shrunk(self, reached: Mapping[TopicPartition, int], ends: Mapping[TopicPartition, LogEnd]) -> bool:
        """Return whether a log ends before an offset that was reached: it was made again, or has lost records."""
        return any(place in ends and ends[place].high < offset for place, offset in reached.items())

    def problem(
        self, reached: Mapping[TopicPartition, int], ends: Mapping[TopicPartition, LogEnd], busy: bool, now: float
    ) -> str:
        """Return why the stage does not go on, as a sentence; "" while it does.

        busy: whether it works on a batch. now: seconds of a clock that only runs forward."""
        found = {place: self._stall(place, reached.get(place), ends.get(place), now) for place in self.known}
        self._stalls = {place: stall for place, stall in found.items() if stall is not None}
        patience = {"open": OPEN_S, "absent": ABSENT_S, "waiting": BUSY_S if busy else IDLE_S}
        for place, stall in sorted(self._stalls.items()):
            if now - stall.since >= patience[stall.why]:
                return self._sentence(place, stall, busy)
        return ""

    def _stall(self, place: TopicPartition, reached: int | None, end: LogEnd | None, now: float) -> Stall | None:
        """Return the stall of a partition, with the time at which the same one was seen first."""
        if end is None:
            why, offset = "absent", 0
        elif reached is None or reached >= end.high:
            return None
        elif reached >= end.readable:
            why, offset = "open", end.readable
        else:
            why, offset = "waiting", reached
        before = self._stalls.get(place)
        same = before is not None and (before.why, before.offset) == (why, offset)
        return before if same else Stall(why, offset, now)

    def _sentence(self, place: TopicPartition, stall: Stall, busy: bool) -> str:
        topic = self._prefix + place.topic
        where = f"{topic}[{place.partition}]"
        if stall.why == "open":
            return open_transaction(self._name, place, stall.offset, self._servers, self._prefix)
        if stall.why == "absent":
            return (
                f"Kafka has no leader for {where}, or the topic no longer exists: check the brokers, and that nobody "
                "deleted the topic."
            )
        if busy:
            return (
                f"{self._name} has worked on one batch of {where} for more than {BUSY_S:.0f} s, and records from "
                f"offset {stall.offset} on wait. It may be killed (kill -9) without loss."
            )
        return (
            f"Records of {where} do not arrive: {self._name} is at offset {stall.offset}, more is there, and nothing "
            f"has come for {IDLE_S:.0f} s. Check the right to read the topic, and the brokers' logs; else restart this "
            "worker."
        )
