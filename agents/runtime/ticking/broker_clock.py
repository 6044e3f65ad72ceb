"""The broker's clock, as it shows in the times at which records were appended."""

import time
from collections.abc import Callable, Collection


class BrokerClock:
    """The clocks of the leaders of some partitions, each known from the last time at which its leader appended."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        """`monotonic`: seconds of a clock that nobody sets."""
        self._monotonic = monotonic
        self._shown: dict[int, tuple[int, float]] = {}

    def unknown(self, partitions: Collection[int]) -> list[int]:
        """Return those of these partitions whose clock was never seen."""
        return [partition for partition in partitions if partition not in self._shown]

    def show(self, partition: int, timestamp: int) -> None:
        """Take the time of an append that is over: the clock of that partition shows `timestamp` (ms) or more now."""
        self._shown[partition] = (timestamp, self._monotonic())

    def keep(self, partitions: Collection[int]) -> None:
        """Forget all other partitions: the leader of one that comes back may be another machine."""
        self._shown = {partition: shown for partition, shown in self._shown.items() if partition in partitions}

    def now(self, partition: int) -> int | None:
        """Return a time (ms) that the clock of this partition has reached; None when it was never seen."""
        shown = self._shown.get(partition)
        return None if shown is None else shown[0] + int(1000 * (self._monotonic() - shown[1]))

    def bound(self, partition: int, own: int) -> int:
        """Return the earlier one of our own time and the broker's, ms: neither clock alone can throw time ahead.

        A clock that was never seen sets no bound."""
        theirs = self.now(partition)
        return own if theirs is None else min(own, theirs)
