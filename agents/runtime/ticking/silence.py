"""Notices that the whole stream has fallen silent, and that it speaks again."""

import time
from collections.abc import Callable, Mapping
from typing import Literal

from streams.features.window import duration_ms
from streams.timeline import PartitionHeader
from streams.usecases import UseCase

SHARE = 0.25
"""A silence of this share of the shortest horizon teaches little that is wrong."""
LONGER = 3
"""A silence is unusual when it is so many times as long as any before."""
LEAST_MS = 10_000
NEVER = "never"


def declared_limit(use_case: UseCase) -> int | None:
    """Return the declared `pause_after` in ms; None when it is to be derived, or never."""
    return None if use_case.pause_after in (None, NEVER) else duration_ms(use_case.pause_after)


def derived_limit(use_case: UseCase) -> int | None:
    """Return the silence that the shortest horizon bears, ms; None where silence is no answer to any question."""
    horizons = [duration_ms(target.outcome.horizon) for target in use_case.targets if target.outcome.horizon]
    if use_case.pause_after is not None or not horizons:
        return None
    return max(LEAST_MS, int(SHARE * min(horizons)))


class Silence:
    """Compares what scoring has read of all partitions, look by look.

    A silence is measured in ticks: a partition whose tick was read has no event before it. So a stage that hangs, a
    partition without an owner or a server that is away is no silence."""

    def __init__(self, use_case: UseCase, partitions: int, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._declared = declared_limit(use_case)
        self._derived = derived_limit(use_case)
        self._partitions = partitions
        self._monotonic = monotonic
        self._events: int | None = None
        self._since: dict[int, int] = {}
        self._heard = 0.0
        self._longest = 0
        self.length = 0
        """How long the stream has been silent, ms of tick time."""

    @property
    def limit(self) -> int | None:
        """The silence after which time is paused, ms; None: it is not."""
        if self._declared is not None:
            return self._declared
        return None if self._derived is None else max(self._derived, LONGER * self._longest)

    def look(self, headers: Mapping[int, PartitionHeader]) -> Literal["pause", "resume"] | None:
        """Return what must happen now to the partitions that are not paused, or to those that are."""
        events = sum(header.events for header in headers.values())
        if events != self._events:
            return self._spoke(events, headers)
        running = {partition: header for partition, header in headers.items() if not header.is_paused}
        if running and len(headers) == self._partitions and events:
            self.length = min(self._silent(partition, header) for partition, header in running.items())
        if self._resumed(headers):
            return "resume"
        return "pause" if running and self.limit is not None and self.length > self.limit else None

    def _spoke(self, events: int, headers: Mapping[int, PartitionHeader]) -> Literal["resume"] | None:
        first, self._events, now = self._events is None, events, self._monotonic()
        if not first:
            self._longest = max(self._longest, int(1000 * (now - self._heard)))
        self._heard, self.length = now, 0
        self._since = {p: header.last_tick for p, header in headers.items() if header.last_tick is not None}
        return self._resumed(headers) if first else "resume"

    def _silent(self, partition: int, header: PartitionHeader) -> int:
        """Return for how long a partition has had time and no event, ms. Paused time does not count."""
        since = self._since.get(partition)
        if since is None or header.last_tick is None or header.pause_is_open:
            return 0
        paused_until = (header.pauses[-1][1] or 0) if header.pauses else since
        return header.last_tick - max(since, paused_until)

    def _resumed(self, headers: Mapping[int, PartitionHeader]) -> Literal["resume"] | None:
        """A pause is over when something was read since, also while no worker ran."""
        over = any(header.is_paused and header.events > header.pause_events for header in headers.values())
        return "resume" if over else None
