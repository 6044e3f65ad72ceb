"""Watches how many of a champion's answers are fallbacks. Marked answers that nobody looks at are served for weeks."""

from collections import deque

from streams.log import Answered, Cause

WINDOW = 1_000
"""Latest answers of a champion over which the share is computed."""
LEAST = 100
"""Answers of a champion before which a share says nothing."""


class FallbackWatch:
    """The share of fallbacks per target, over the answers of its champion since its first version.

    Untrained answers are no fallbacks here: every arm begins with them. Counts are in memory, of one worker."""

    def __init__(self, share: float) -> None:
        """`share`: 0 to 1, above which there is a warning; 0 gives none."""
        self._most = share
        self._windows: dict[str, deque[tuple[int, int]]] = {}
        self._warnings: dict[str, str] = {}

    @property
    def warning(self) -> str:
        """Which champions answer by too many fallbacks, and what to do; "" for none."""
        return " ".join(self._warnings.values())

    def add(self, answered: Answered) -> None:
        """Count a committed slice."""
        for target, asked in answered.asked.items():
            arm = answered.champions[target]
            counts = {cause: answered.fallbacks.get((target, arm, cause.value), 0) for cause in Cause}
            trained = asked - counts.pop(Cause.UNTRAINED)
            if trained and self._most:
                self._judge(target, arm, trained, counts)

    def _judge(self, target: str, arm: str, answers: int, counts: dict[Cause, int]) -> None:
        window = self._windows.setdefault(target, deque())
        window.append((answers, sum(counts.values())))
        total = sum(number for number, _ in window)
        while total - window[0][0] >= WINDOW:
            total -= window.popleft()[0]
        fallbacks = sum(number for _, number in window)
        if total < LEAST or fallbacks <= self._most * total:
            self._warnings.pop(target, None)
        elif target not in self._warnings:
            cause = max(counts, key=lambda each: counts[each])
            self._warnings[target] = (
                f"More than {self._most:.0%} of the latest answers of the champion {target}/{arm} are fallbacks "
                f"({cause.value}): the log of this worker, or of the learner, says why; `tidecast status` counts them."
            )
