"""ADWIN: the widest window of losses whose parts do not differ by more than chance.

River is imported where a detector is made: monitoring, which has none, does without it."""

from array import array
from collections import deque
from math import log, sqrt
from typing import Any

from streams.drift.loss_detector import Change, LossDetector

CLOCK = 32
"""Examples between two checks of ADWIN."""

GRACE = 200
"""The minimum number of examples in the window before ADWIN checks at all."""

MIN_WINDOW = 30
"""The minimum number of examples in a part of the window."""

TAIL = 512
"""Latest losses kept to locate the start of a change."""


class Adwin(LossDetector):
    """ADWIN (Bifet and Gavaldà 2007) with settings measured for a stage that runs for months.

    The loss lies between 0 and 1. With delta 0.002 there was no false alarm in 1.2 million stationary examples of four
    kinds of loss. A rise of the mean by 0.06 to 0.1 is found after 200 to 480 examples; shifts shorter than about 200
    examples are missed. River's ADWIN starts over after each change."""

    name = "adwin"

    def __init__(self, delta: float) -> None:
        from river.drift import ADWIN

        self._delta = delta
        self._adwin = ADWIN(delta, clock=CLOCK, grace_period=GRACE, min_window_length=MIN_WINDOW)
        self._tail: deque[float] = deque(maxlen=TAIL)

    @property
    def mean(self) -> float:
        """See LossDetector."""
        return float(self._adwin.estimation)

    def update(self, loss: float) -> Change | None:
        """See LossDetector."""
        adwin = self._adwin
        if adwin.drift_detected:
            width, total = 0, 0.0
            self._tail.clear()
        else:
            width, total = round(adwin.width), adwin.total
        spread = adwin.variance
        adwin.update(loss)
        self._tail.append(loss)
        if not adwin.drift_detected or width + 1 < 2 * MIN_WINDOW:
            return None
        return self._locate(width + 1, total + loss, spread / width)

    def _locate(self, width: int, total: float, variance: float) -> Change:
        """Return where the window changed most. ADWIN has shortened it since; the cut lies among the latest losses."""
        best, found, tail = -1.0, (0, 0.0), 0.0
        for count, loss in enumerate(reversed(self._tail), 1):
            tail += loss
            if count < MIN_WINDOW or width - count < MIN_WINDOW:
                continue
            rest = width - count
            gap = tail / count - (total - tail) / rest
            if gap * gap * count * rest > best:
                best, found = gap * gap * count * rest, (count, tail)
        count, tail = found
        before, after = (total - tail) / (width - count), tail / count
        return Change(before, after, width - count, count, self._bound(width - count, count, variance))

    def _bound(self, before: int, after: int, variance: float) -> float:
        """Return ADWIN's bound for windows of these sizes (equation 3.1 there, by the normal approximation)."""
        per = 1 / before + 1 / after
        confidence = log(2 * log(before + after) / self._delta)
        return sqrt(2 * per * max(variance, 0.0) * confidence) + 2 / 3 * per * confidence

    def pack(self) -> list[Any]:
        """See LossDetector; River's window as plain values, without pickle."""
        tail = array("d", self._tail).tobytes()
        return [self._adwin.drift_detected, self._adwin._helper.__getstate__(), tail]

    def unpack(self, state: list[Any]) -> None:
        """See LossDetector."""
        self._adwin._drift_detected = state[0]
        self._adwin._helper.__setstate__(state[1])
        self._tail = deque(array("d", state[2]), maxlen=TAIL)
