"""Judging's state of one target: the metrics and alerts of its arms, in one blob of bounded size.

Size: 16 kB for the target; per arm, 8 kB of recent answers, up to 6 kB of detector, and the occupied bins of the AUC
(typically 2 to 5 kB, at most 40 kB)."""

from array import array
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import nan
from typing import Any

import msgpack

from schemas.marks import HighWater
from schemas.records import CoordinateRecord
from streams.drift.loss import ErrorsCompared, LossMonitor
from streams.drift.registry import DETECTORS
from streams.judging.cohorts import Cohorts, without_rank
from streams.judging.label_watch import LabelWatch
from streams.judging.metrics import mean_error, total, totals_of
from streams.models.arms import Arm
from streams.targets.declaration import Target
from streams.usecases.declaration import UseCase

RECENT = 1000
"""Number of examples in the recent span."""

HINDSIGHT = 1.1
"""How much worse than the mean of the very labels an arm may be, where no baseline is declared."""

FORMAT = 1


class ArmMetricsState:
    """An arm's metrics over all examples, its recent answers, and its alerts, one per detector. Baselines have none."""

    def __init__(self, arm: Arm, target: Target) -> None:
        self.arm = arm
        binary = target.kind == "binary"
        self.totals = totals_of(binary)
        self.answers: deque[float] = deque(maxlen=RECENT)
        detectors = [] if arm.role == "naive" else [make(target.alert_delta) for make in DETECTORS.values()]
        self.watches = [LossMonitor(binary, detector) for detector in detectors]

    def values(self) -> dict[str, float]:
        """Return the metrics over all examples."""
        return self.ranked(self.totals.values())

    def recent(self, labels: Sequence[float]) -> dict[str, float]:
        """Return the metrics over the recent examples, whose labels these are."""
        return self.ranked(self.totals.recent(self.answers, labels))

    def ranked(self, values: dict[str, float]) -> dict[str, float]:
        """Return metrics of this arm as they are to be shown: an arm that looks at no feature ranks nobody."""
        return without_rank(values) if self.arm.model.constant else values

    def pack(self) -> list[Any]:
        """Return the whole state; equal for equal examples."""
        watches = {watch.statistic: watch.pack() for watch in self.watches}
        first = watches.pop("adwin", None)
        packed = [self.totals.pack(), array("d", self.answers).tobytes(), first]
        return [*packed, watches] if watches else packed

    def unpack(self, state: list[Any]) -> None:
        """Restore the state that `pack` returned."""
        self.totals.unpack(state[0])
        self.answers.extend(array("d", state[1]))
        self.unpack_alerts(state)

    def unpack_alerts(self, state: list[Any]) -> None:
        """Restore of the state that `pack` returned only the alerts; a new detector starts without one."""
        _, _, first, *others = state
        packed = {"adwin": first, **(others[0] if others else {})}
        for watch in self.watches:
            if packed.get(watch.statistic) is not None:
                watch.unpack(packed[watch.statistic])


@dataclass(slots=True)
class TargetMetricsState:
    """The state of one partition of labelled-examples.

    marks: source partition of customer-events → mark of the last record read.
    opened, settled: source partition → numbers from its progress.
    labels, times: of the recent examples; times in ms of event time.
    skipped: records that were not examples of the target. incomplete: examples without an answer of every arm."""

    target: Target
    cohorts: Cohorts
    label_watch: LabelWatch
    deployment_id: str = ""
    deployment_number: int = 0
    marks: HighWater[int] = field(default_factory=HighWater)
    opened: dict[int, int] = field(default_factory=dict)
    settled: dict[int, int] = field(default_factory=dict)
    examples: int = 0
    skipped: int = 0
    incomplete: int = 0
    until: int = 0
    labels: deque[float] = field(default_factory=lambda: deque(maxlen=RECENT))
    times: deque[int] = field(default_factory=lambda: deque(maxlen=RECENT))
    arms: list[ArmMetricsState] = field(init=False)

    def __post_init__(self) -> None:
        self.arms = [ArmMetricsState(arm, self.target) for arm in self.target.arms]

    def advance(self, source: CoordinateRecord) -> bool:
        """Return whether a record with this coordinate was not read before, and move the mark of its source
        partition."""
        return self.marks.advance(source["partition"], source)

    @property
    def matured(self) -> float:
        """Return the share of all opened observations that are settled; NaN before the first progress."""
        opened = sum(self.opened.values())
        return min(sum(self.settled.values()) / opened, 1.0) if opened else nan

    def pack(self) -> bytes:
        """Return the stored form; equal for equal records."""
        return bytes(
            msgpack.packb(
                [
                    FORMAT,
                    self.target.kind,
                    self.deployment_id,
                    self.marks.pack(),
                    sorted(self.opened.items()),
                    sorted(self.settled.items()),
                    [self.examples, self.skipped, self.incomplete, self.until],
                    array("d", self.labels).tobytes(),
                    array("q", self.times).tobytes(),
                    [[judged.arm.name, judged.pack()] for judged in self.arms],
                    self.deployment_number,
                    self.cohorts.pack(),
                    self.label_watch.pack(),
                ]
            )
        )

    def unpack(self, data: bytes) -> None:
        """Restore what `pack` wrote.

        If an arm is new, all metrics start empty, because arms are compared on the same examples only. Alerts of arms
        that stay continue."""
        state = msgpack.unpackb(data)
        _, kind, self.deployment_id, marks, opened, settled, counts, labels, times, arms, *later = state
        self.deployment_number = later[0] if later else 0
        self.marks = HighWater.unpack(marks)
        self.opened, self.settled = dict(opened), dict(settled)
        if kind != self.target.kind or [name for name, _ in arms] != [arm.name for arm in self.target.arms]:
            self._keep_alerts(kind, dict(arms))
            return
        if len(later) > 1:
            self.cohorts.unpack(later[1])
            self.label_watch.unpack(later[2])
        self.examples, self.skipped, self.incomplete, self.until = counts
        self.labels.extend(array("d", labels))
        self.times.extend(array("q", times))
        for arm, (_, packed) in zip(self.arms, arms, strict=True):
            arm.unpack(packed)

    def standing(self, arm: ArmMetricsState, examples: int) -> ErrorsCompared:
        """Compare an arm with the best baseline on so many of the latest examples, those of `recent` at most.

        Without a baseline it is compared with the mean of the very labels, which is allowed HINDSIGHT times its error
        because no arm can know it."""
        binary, labels = self.target.kind == "binary", list(self.labels)[-examples:]

        def error(answers: Sequence[float]) -> float:
            return mean_error(list(answers)[-examples:], labels, binary)

        baselines = [error(other.answers) for other in self.arms if other.arm.role == "naive"]
        mean = total(labels) / len(labels)
        return ErrorsCompared(error(arm.answers), min(baselines, default=HINDSIGHT * error([mean] * len(labels))))

    def _keep_alerts(self, kind: str, packed: dict[str, Any]) -> None:
        for arm in self.arms:
            found = packed.get(arm.arm.name)
            if found is not None and kind == self.target.kind:
                arm.unpack_alerts(found)


def new_state(target: Target, use_case: UseCase, partitions: int) -> TargetMetricsState:
    """Return the empty state of a target. `partitions`: number of those of customer-events."""
    cohorts = Cohorts(target, use_case.profile_window, partitions)
    false_alarms = use_case.false_alarms / len(use_case.targets)
    watch = LabelWatch(target.kind == "binary", use_case.reference_windows, false_alarms)
    return TargetMetricsState(target, cohorts, watch)
