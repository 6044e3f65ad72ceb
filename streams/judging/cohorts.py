"""Cohorts: metrics of the questions asked in one span of time, once the horizon of all of them is over.

In the order of settling, questions that are answered early and late, one label and the other, stand apart, and metrics
over them mislead. A cohort holds all labels of its questions. Questions that an untrained arm answered are counted
apart, because arms are compared on the same questions.

Pure: the same questions in any order give the same metrics."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from streams.drift.sketch import Histogram
from streams.features.window import duration_ms
from streams.judging.metrics import Totals, totals_of
from streams.targets.declaration import Target

MOST_OPEN = 8
"""Spans into which a horizon is divided at most: so many cohorts are open, where labels are settled early."""


@dataclass(slots=True)
class Cohort:
    """The settled questions of one span.

    totals: per arm, over the questions that no untrained arm answered. untrained: number of the others.
    labels: of all questions."""

    totals: list[Totals]
    untrained: int = 0
    labels: Histogram = field(default_factory=Histogram)

    def add(self, answers: Sequence[float], trained: bool, label: float) -> None:
        """Add a question: every arm's answer, whether all arms were trained, and the label."""
        self.labels.add(label)
        if not trained:
            self.untrained += 1
            return
        for totals, answer in zip(self.totals, answers, strict=True):
            totals.add(answer, label)

    def values(self, number: int) -> dict[str, float]:
        """Return the metrics of an arm by its number, with the mean label and the number of untrained answers."""
        found = {**self.totals[number].values(), "untrained": float(self.untrained)}
        mean = self.labels.mean
        return found if mean is None else {**found, "mean_label": mean}


class Cohorts:
    """The open cohorts of a target.

    A cohort spans `width` ms of the times of asking. It closes when the time of all `partitions` source partitions has
    passed its horizon. Questions without a horizon count by the time of their outcome."""

    def __init__(self, target: Target, profile_window: str, partitions: int) -> None:
        horizon, window = target.outcome.horizon, duration_ms(profile_window)
        self._binary = target.kind == "binary"
        self._arms = len(target.arms)
        self._horizon = duration_ms(horizon) if horizon else None
        self.width = window * max(1, -(-(self._horizon or 0) // (MOST_OPEN * window)))
        self._partitions = partitions
        self._watermarks: dict[int, int] = {}
        self._closed: int | None = None
        self._open: dict[int, Cohort] = {}

    def add(self, asked_at: int, outcome_at: int, answers: Sequence[float], trained: bool, label: float) -> None:
        """Add a settled question; times in ms. One of a closed cohort, which scoring never settles, is left out."""
        number = (outcome_at if self._horizon is None else asked_at) // self.width
        if self._closed is not None and number < self._closed:
            return
        cohort = self._open.get(number)
        if cohort is None:
            cohort = self._open[number] = Cohort([totals_of(self._binary) for _ in range(self._arms)])
        cohort.add(answers, trained, label)

    def passed(self, partition: int, watermark: int) -> Iterator[tuple[int, Cohort]]:
        """Move the time of a source partition; return the start (ms) and contents of the cohorts that it closes."""
        self._watermarks[partition] = max(watermark, self._watermarks.get(partition, watermark))
        if len(self._watermarks) < self._partitions:
            return
        closed = (min(self._watermarks.values()) - (self._horizon or 0)) // self.width
        if self._closed is not None and closed <= self._closed:
            return
        self._closed = closed
        for number in sorted(number for number in self._open if number < closed):
            yield number * self.width, self._open.pop(number)

    def pack(self) -> list[Any]:
        """Return the whole state; equal for equal questions."""
        cohorts = [
            [number, [totals.pack() for totals in cohort.totals], cohort.untrained, cohort.labels.pack()]
            for number, cohort in sorted(self._open.items())
        ]
        return [sorted(self._watermarks.items()), self._closed, cohorts]

    def unpack(self, state: Sequence[Any]) -> None:
        """Restore the state that `pack` returned."""
        watermarks, self._closed, cohorts = state
        self._watermarks = dict(watermarks)
        self._open = {number: self._unpacked(*packed) for number, *packed in cohorts}

    def _unpacked(self, totals: Sequence[Any], untrained: int, labels: Sequence[Any]) -> Cohort:
        found = [totals_of(self._binary) for _ in totals]
        for each, packed in zip(found, totals, strict=True):
            each.unpack(packed)
        return Cohort(found, untrained, Histogram.unpack(labels))


def without_rank(values: Mapping[str, float]) -> dict[str, float]:
    """Return the metrics of an arm whose answers do not depend on the vector: it ranks nobody, so its AUC is 0.5.

    Its answers change with time. Over a span of time they would be compared with a label rate that changes too."""
    known = {"roc_auc": 0.5, "roc_auc_error": 0.0}
    return {name: known.get(name, value) for name, value in values.items()}
