"""The alert on an arm's errors: the loss of each example goes to a detector, which opens and closes it."""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import Any, NamedTuple

from streams.drift.loss_detector import Change, LossDetector

COOLDOWN = 1000
"""Examples without a further rise after which an alert closes at the new level."""

SCALING = 200
"""First examples whose mean error becomes the fixed scale of a regression target's errors."""


CHECKED = 100
"""Examples between two checks whether an alert that could close is worse than a baseline."""


class ErrorsCompared(NamedTuple):
    """Mean errors on the same questions: of the arm, and the least of the baselines."""

    error: float
    baseline: float

    @property
    def worse(self) -> bool:
        """Whether the arm is worse than a baseline."""
        return self.error > self.baseline


Standing = Callable[[int], ErrorsCompared]
"""Returns the comparison over so many of the latest examples."""


@dataclass(frozen=True, slots=True)
class AlertTransition:
    """An alert opens (`how` is rise) or closes (fall or calm).

    value: present loss minus the loss before the alert. width: examples at the new level."""

    opens: bool
    how: str
    value: float
    threshold: float
    evidence: dict[str, float]
    width: int


class LossMonitor:
    """An arm's detector and its alert.

    The alert opens once when the loss rises. It closes once: when the detector finds a fall, or after COOLDOWN examples
    without a further rise; but never while the arm is worse than a baseline on the same questions. A loss that is as
    large as it can be does not rise further.

    The loss of a binary target is (p − label)², that of a regression target |error| / (|error| + scale)."""

    def __init__(self, binary: bool, detector: LossDetector) -> None:
        self.statistic = detector.name
        self._binary = binary
        self._detector = detector
        self._scaled = 0
        self._scale = 0.0
        self.alert_id = ""
        self._level = 0.0
        self._threshold = 0.0
        self._calm = 0

    def update(self, answer: float, label: float, standing: Standing) -> AlertTransition | None:
        """Add an example; return a step when the alert opens or closes. The caller sets `alert_id` on opening.

        standing: compares the arm with the baselines on the latest examples."""
        error = answer - label
        if self._binary:
            loss = min(error * error, 1.0)
        else:
            if self._scaled < SCALING:
                self._scaled += 1
                self._scale += abs(error) / SCALING
                return None
            size = abs(error)
            against = size + self._scale
            loss = 1.0 if against == inf else size / against if size else 0.0
        change = self._detector.update(loss)
        return self._watch(change, standing) if self.alert_id else self._wait(change, standing)

    def _wait(self, change: Change | None, standing: Standing) -> AlertTransition | None:
        if change is None or change.after <= change.before:
            return None
        self._level, self._threshold, self._calm = change.before, change.threshold, 0
        seen = standing(change.examples_after)
        return self._step("rise", change.after, change.examples_before, change.examples_after, seen)

    def _watch(self, change: Change | None, standing: Standing) -> AlertTransition | None:
        self._calm += 1
        if change is not None:
            if change.after < change.before:
                seen = standing(change.examples_after)
                if not seen.worse:
                    return self._step("fall", change.after, change.examples_before, change.examples_after, seen)
            else:
                self._calm = 0
        if self._calm < COOLDOWN or self._calm % CHECKED:
            return None
        seen = standing(COOLDOWN)
        return None if seen.worse else self._step("calm", self._detector.mean, 0, COOLDOWN, seen)

    def _step(
        self, how: str, mean: float, examples_before: int, examples_after: int, seen: ErrorsCompared
    ) -> AlertTransition:
        evidence = {
            "error": seen.error,
            "baseline_error": seen.baseline,
            "mean_before": self._level,
            "mean_after": mean,
            "examples_before": float(examples_before),
            "examples_after": float(examples_after),
            "fell": float(how == "fall"),
            "calm": float(how == "calm"),
        }
        return AlertTransition(how == "rise", how, mean - self._level, self._threshold, evidence, examples_after)

    def pack(self) -> list[Any]:
        """Return the whole state."""
        numbers = [self._scaled, self._scale, self.alert_id, self._level, self._threshold, self._calm]
        return [self._binary, self._detector.pack(), *numbers]

    def unpack(self, state: list[Any]) -> None:
        """Restore the state that `pack` returned."""
        self._binary = state[0]
        self._detector.unpack(state[1])
        self._scaled, self._scale, self.alert_id, self._level, self._threshold, self._calm = state[2:]
