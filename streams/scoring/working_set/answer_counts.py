"""Counts the questions of a slice in one partition, and the answers that a version did not give as it should."""

from collections.abc import Sequence

from streams.log import Cause


class AnswerCounts:
    """asked: target → questions. fallbacks: (target, arm, cause) → answers.

    Untrained arms are not counted with each answer, which would cost every question: their answers are the questions
    from `begin` to `end`."""

    __slots__ = ("_untrained", "asked", "fallbacks")

    def __init__(self) -> None:
        self.asked: dict[str, int] = {}
        self.fallbacks: dict[tuple[str, str, str], int] = {}
        self._untrained: dict[str, tuple[int, Sequence[str]]] = {}

    def begin(self, target: str, untrained: Sequence[str]) -> None:
        """From here on these arms of a target answer untrained."""
        if untrained:
            self._untrained[target] = (self.asked.get(target, 0), untrained)

    def end(self) -> None:
        """From here on other versions may answer."""
        for target, (before, arms) in self._untrained.items():
            for arm in arms:
                self.add(target, arm, Cause.UNTRAINED, self.asked.get(target, 0) - before)
        self._untrained.clear()

    def add(self, target: str, arm: str, cause: Cause, answers: int = 1) -> None:
        """Count answers of an arm."""
        if answers:
            at = (target, arm, cause.value)
            self.fallbacks[at] = self.fallbacks.get(at, 0) + answers
