"""Prequential metrics of one arm: over all examples so far, and exactly over the most recent ones."""

from collections.abc import Iterable, Sequence
from math import floor, fsum, log, nan, sqrt
from typing import Any

CLIP = 1e-15
"""Probabilities are clipped to CLIP … 1 − CLIP before a logarithm is taken."""

BINS_PER_UNIT = 40
"""Bins of log-odds per unit, for the ROC AUC over all examples; at most 2,764 can be occupied."""


def total(values: Iterable[float]) -> float:
    """Return the exact sum; infinity or NaN, not an error, when it is not a double, as a diverging model makes it."""
    kept = list(values)
    try:
        return fsum(kept)
    except (OverflowError, ValueError):
        return sum(kept)


def log_loss(p: float, label: float) -> float:
    """Return −log of the probability of what happened, in nats, computed as River does."""
    p = min(max(p, CLIP), 1.0 - CLIP)
    return -log(p) if label else -log(1.0 - p)


def roc_auc(answers: Sequence[float], labels: Sequence[float]) -> float | None:
    """Return the exact ROC AUC by ranks (Mann and Whitney 1947; a tie counts one half); None with one class only."""
    pairs = sorted(zip(answers, labels, strict=True))
    below = half_wins = ones = 0
    i = 0
    while i < len(pairs):
        value, tied, tied_ones = pairs[i][0], 0, 0
        while i < len(pairs) and pairs[i][0] == value:
            tied += 1
            tied_ones += pairs[i][1] != 0
            i += 1
        half_wins += tied_ones * (2 * below + tied - tied_ones)
        below += tied - tied_ones
        ones += tied_ones
    return half_wins / (2 * ones * below) if ones and below else None


class BinaryTotals:
    """Log loss, accuracy at p > 0.5 and ROC AUC of probabilities over all examples.

    The AUC counts two answers in one bin of log-odds (1/40 wide) as a tie. `roc_auc_error` bounds the error: half of
    the share of pairs that lie in one bin."""

    def __init__(self) -> None:
        self.count = 0
        self.loss = 0.0
        self.correct = 0
        self.bins: dict[int, list[int]] = {}

    def add(self, answer: float, label: float) -> None:
        """Add an example: probability of 1, and the label 1 or 0."""
        self.count += 1
        self.loss += log_loss(answer, label)
        self.correct += (answer > 0.5) == (label != 0)
        p = min(max(answer, CLIP), 1.0 - CLIP)
        cell = self.bins.setdefault(floor(BINS_PER_UNIT * log(p / (1.0 - p))), [0, 0])
        cell[label != 0] += 1

    def values(self) -> dict[str, float]:
        """Return the metrics by name; the AUC only when both labels were seen."""
        if not self.count:
            return {}
        found = {"log_loss": self.loss / self.count, "accuracy": self.correct / self.count}
        below = half_wins = ones = tied = 0
        for _, (zeros_here, ones_here) in sorted(self.bins.items()):
            half_wins += ones_here * (2 * below + zeros_here)
            tied += ones_here * zeros_here
            below += zeros_here
            ones += ones_here
        if ones and below:
            found["roc_auc"] = half_wins / (2 * ones * below)
            found["roc_auc_error"] = tied / (2 * ones * below)
        return found

    def pack(self) -> list[Any]:
        """Return the whole state; equal for equal examples."""
        return [self.count, self.loss, self.correct, sorted([k, *cell] for k, cell in self.bins.items())]

    def unpack(self, state: list[Any]) -> None:
        """Restore the state that `pack` returned."""
        self.count, self.loss, self.correct = state[:3]
        self.bins = {k: [zeros, ones] for k, zeros, ones in state[3]}

    @staticmethod
    def recent(answers: Sequence[float], labels: Sequence[float]) -> dict[str, float]:
        """Return the same metrics, exactly, over a few examples."""
        if not answers:
            return {}
        pairs = list(zip(answers, labels, strict=True))
        found = {
            "log_loss": fsum(log_loss(p, y) for p, y in pairs) / len(pairs),
            "accuracy": sum((p > 0.5) == (y != 0) for p, y in pairs) / len(pairs),
        }
        auc = roc_auc(answers, labels)
        return found if auc is None else {**found, "roc_auc": auc}


class RegressionTotals:
    """Mean absolute error, root mean squared error and bias (answer − label) over all examples."""

    def __init__(self) -> None:
        self.count = 0
        self.absolute = 0.0
        self.squared = 0.0
        self.signed = 0.0

    def add(self, answer: float, label: float) -> None:
        """Add an example."""
        error = answer - label
        self.count += 1
        self.absolute += abs(error)
        self.squared += error * error
        self.signed += error

    def values(self) -> dict[str, float]:
        """Return the metrics by name."""
        if not self.count:
            return {}
        return {
            "mae": self.absolute / self.count,
            "rmse": sqrt(self.squared / self.count),
            "bias": self.signed / self.count,
        }

    def pack(self) -> list[Any]:
        """Return the whole state."""
        return [self.count, self.absolute, self.squared, self.signed]

    def unpack(self, state: list[Any]) -> None:
        """Restore the state that `pack` returned."""
        self.count, self.absolute, self.squared, self.signed = state

    @staticmethod
    def recent(answers: Sequence[float], labels: Sequence[float]) -> dict[str, float]:
        """Return the same metrics over a few examples."""
        if not answers:
            return {}
        errors = [answer - label for answer, label in zip(answers, labels, strict=True)]
        return {
            "mae": total(map(abs, errors)) / len(errors),
            "rmse": sqrt(total(error * error for error in errors) / len(errors)),
            "bias": total(errors) / len(errors),
        }


Totals = BinaryTotals | RegressionTotals


def totals_of(binary: bool) -> Totals:
    """Return empty metrics of a binary or a regression target."""
    return BinaryTotals() if binary else RegressionTotals()


def mean_error(answers: Sequence[float], labels: Sequence[float], binary: bool) -> float:
    """Return the mean squared error of probabilities, or the mean absolute error of amounts; NaN of none."""
    errors = (answer - label for answer, label in zip(answers, labels, strict=True))
    return total(error * error if binary else abs(error) for error in errors) / len(labels) if labels else nan
