"""Judging's state of one target: the metrics and alerts of its arms, in one blob of bounded size.

Size: 16 kB for the target; per arm, 8 kB of recent answers, up to 6 kB of detector, and the occupied bins of the AUC
(typically 2 to 5 kB, at most 40 kB)."""

from array import array
from collections import deque
from dataclasses import dataclass, field
from math import nan
from typing import Any

import msgpack

from schemas.marks import HighWater
from schemas.records import CoordinateRecord
from streams.drift.loss import LossMonitor
from streams.drift.registry import DETECTORS
from streams.judging.metrics import BinaryTotals, RegressionTotals
from streams.models.arms import Arm
from streams.targets.declaration import Target

RECENT = 1000
"""Number of examples in the recent span."""

FORMAT = 1


class ArmMetricsState:
    """An arm's metrics over all examples, its recent answers, and its alerts, one per detector. Baselines have none."""

    def __init__(self, arm: Arm, target: Target) -> None:
        self.arm = arm
        binary = target.kind == "binary"
        self.totals: BinaryTotals | RegressionTotals = BinaryTotals() if binary else RegressionTotals()
        self.answers: deque[float] = deque(maxlen=RECENT)
        detectors = [] if arm.role == "naive" else [make(target.alert_delta) for make in DETECTORS.values()]
        self.watches = [LossMonitor(binary, detector) for detector in detectors]

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
                ]
            )
        )

    @classmethod
    def unpack(cls, target: Target, data: bytes) -> "TargetMetricsState":
        """Parse what `pack` wrote.

        If an arm is new, all metrics start empty, because arms are compared on the same examples only. Alerts of arms
        that stay continue."""
        state = msgpack.unpackb(data)
        _, kind, deployment_id, marks, opened, settled, counts, labels, times, arms, *later = state
        judged = cls(
            target,
            deployment_id,
            later[0] if later else 0,
            HighWater.unpack(marks),
            {partition: count for partition, count in opened},
            {partition: count for partition, count in settled},
        )
        if kind != target.kind or [name for name, _ in arms] != [arm.name for arm in target.arms]:
            judged._keep_alerts(kind, dict(arms))
            return judged
        judged.examples, judged.skipped, judged.incomplete, judged.until = counts
        judged.labels.extend(array("d", labels))
        judged.times.extend(array("q", times))
        for arm, (_, packed) in zip(judged.arms, arms, strict=True):
            arm.unpack(packed)
        return judged

    def _keep_alerts(self, kind: str, packed: dict[str, Any]) -> None:
        for arm in self.arms:
            found = packed.get(arm.arm.name)
            if found is not None and kind == self.target.kind:
                arm.unpack_alerts(found)
