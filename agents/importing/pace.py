"""The pace of publishing: full speed, a rate, or event time times a factor."""

import re
import time
from collections.abc import Callable
from typing import Protocol

Wait = Callable[[float], None]
CHECK_EVERY = 64
"""Messages between two looks at the wall clock when a rate is set."""


class Pace(Protocol):
    """Waits until a message is due."""

    def before(self, time_ms: int) -> None:
        """Wait before a message or tick; called with its event time."""
        ...

    def ticked(self, time_ms: int) -> None:
        """Wait after a tick of that time was written."""
        ...


class FullSpeed:
    """Never waits."""

    def before(self, time_ms: int) -> None:
        """See Pace."""

    def ticked(self, time_ms: int) -> None:
        """See Pace."""


class Rate(FullSpeed):
    """At most `per_second` messages a second, evenly spaced."""

    def __init__(self, per_second: float, wait: Wait) -> None:
        self._per_second = per_second
        self._wait = wait
        self._began = time.monotonic()
        self._count = 0
        self._every = max(1, min(CHECK_EVERY, int(per_second / 50)))

    def before(self, time_ms: int) -> None:
        """See Pace."""
        self._count += 1
        if self._count % self._every == 0:
            _until(self._began + self._count / self._per_second, self._wait)


class Speed(FullSpeed):
    """`factor` seconds of event time pass in one second, from the first message on."""

    def __init__(self, factor: float, wait: Wait) -> None:
        self._per_ms = 0.001 / factor
        self._wait = wait
        self._first: int | None = None
        self._began = 0.0

    def before(self, time_ms: int) -> None:
        """See Pace."""
        if self._first is None:
            self._first, self._began = time_ms, time.monotonic()
            return
        _until(self._began + (time_ms - self._first) * self._per_ms, self._wait)


def _until(moment: float, wait: Wait) -> None:
    """Wait until the monotonic clock shows `moment`; `wait` may return early."""
    while (ahead := moment - time.monotonic()) > 0.001:
        wait(ahead)


def parse_rate(text: str) -> float:
    """Parse `500/s` or `500`, per second. Raises ValueError for any other text."""
    found = re.fullmatch(r"([0-9]*\.?[0-9]+)(/s)?", text)
    if found is None or float(found[1]) <= 0:
        raise ValueError(f"{text!r} is not a rate; write one such as 500/s")
    return float(found[1])


def parse_speed(text: str) -> float:
    """Parse `86400x` (a day a second). Raises ValueError for any other text."""
    found = re.fullmatch(r"([0-9]*\.?[0-9]+)x?", text)
    if found is None or float(found[1]) <= 0:
        raise ValueError(f"{text!r} is not a speed; write one such as 86400x, which is a day a second")
    return float(found[1])
