"""The merger: builds one profile per window over all source partitions, and compares it with the reference."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgpack

from schemas.marks import HighWater
from schemas.records import (
    DRIFT_ALERT,
    FEATURE_PROFILE,
    CoordinateRecord,
    DriftAlertRecord,
    FeatureProfileRecord,
    ProfileRecord,
)
from streams.drift.compare import compare, reference_of
from streams.drift.open_alerts import Alerts
from streams.drift.registry import STATISTICS
from streams.drift.sketch import Histogram, merged
from streams.drift.statistic import DriftFinding, Reference
from streams.monitoring.alerts import Subject, alert_record, evidence_of
from streams.monitoring.layout import ProfileLayout

NextSource = Callable[[], CoordinateRecord]
"""Returns the coordinate of the next output."""
Produced = tuple[str, FeatureProfileRecord | DriftAlertRecord]
"""The full name and record of an output."""


class Merger:
    """Windows that wait for partitions, the reference, and the open alerts.

    warm_up_windows: first windows, which are neither reference nor compared.
    alpha: probability of a false alarm of one test; those of all tests of a window add up to the budget.
    late: number of partial profiles of closed windows. skipped: number of profiles of other deployments."""

    def __init__(
        self,
        layout: ProfileLayout,
        width: int,
        partitions: int,
        warm_up_windows: int,
        reference_windows: int,
        false_alarms: float,
    ) -> None:
        self._layout = layout
        self._width = width
        self._partitions = partitions
        self._warm_up = warm_up_windows
        self._reference_windows = reference_windows
        self._alpha = min(0.5, false_alarms / (len(STATISTICS) * len(layout.names)))
        self._marks: HighWater[int] = HighWater()
        self._watermarks: dict[int, int] = {}
        self._closed: int | None = None
        self._windows: dict[int, dict[int, list[Histogram]]] = {}
        self._first: list[list[Histogram]] = []
        self._references: list[Reference] = []
        self._alerts = Alerts()
        self.late = 0
        self.skipped = 0

    def take(self, record: FeatureProfileRecord, next_source: NextSource) -> Iterator[Produced]:
        """Take a FeatureProfile of a source partition; return the outputs of the windows that it completes."""
        partition = record["partition"]
        if partition is None:
            return  # our own output
        if not self._marks.advance(partition, record["source"]):
            return
        if not self._fits(partition, record):
            self.skipped += 1
            return
        self._add(partition, record)
        before = self._watermarks.get(partition)
        if before is None or record["watermark"] > before:
            self._watermarks[partition] = record["watermark"]
        if len(self._watermarks) == self._partitions:
            yield from self._close(min(self._watermarks.values()), next_source)

    def _fits(self, partition: int, record: FeatureProfileRecord) -> bool:
        start, profiles = record["window_from"], record["profiles"]
        if record["window_to"] - start != self._width or start % self._width:
            return False
        if not 0 <= partition < self._partitions:
            return False
        subjects = [(profile["kind"], profile["name"]) for profile in profiles]
        return not subjects or subjects == list(zip(self._layout.kinds, self._layout.names, strict=True))

    def _add(self, partition: int, record: FeatureProfileRecord) -> None:
        if not record["profiles"]:
            return
        index = record["window_from"] // self._width
        if self._closed is not None and index < self._closed:
            self.late += 1
            return
        histograms = [Histogram.from_record(profile["histogram"]) for profile in record["profiles"]]
        self._windows.setdefault(index, {})[partition] = histograms

    # -- a complete window

    def _close(self, watermark: int, next_source: NextSource) -> Iterator[Produced]:
        passed = watermark // self._width
        if self._closed is not None and passed <= self._closed:
            return
        self._closed = passed
        for index in sorted(index for index in self._windows if index < passed):
            parts = self._windows.pop(index).values()
            whole = [merged(column) for column in zip(*parts, strict=True)]
            yield from self._window(index, watermark, whole, next_source)

    def _window(
        self, index: int, watermark: int, whole: list[Histogram], next_source: NextSource
    ) -> Iterator[Produced]:
        warming = self._warm_up > 0
        is_reference = not warming and not self._references
        findings: list[list[DriftFinding]] = [[] for _ in whole]
        if self._references:
            findings = [compare(r, h, self._alpha) for r, h in zip(self._references, whole, strict=True)]
        span = (index * self._width, (index + 1) * self._width)
        yield (
            FEATURE_PROFILE,
            profile_record(self._layout, span, None, watermark, whole, next_source(), is_reference, findings),
        )
        if warming:
            self._warm_up -= 1
        elif is_reference:
            self._extend_reference(whole)
        for slot, found in enumerate(findings):
            for finding in found:
                yield from self._alert(slot, finding, whole[slot], span, next_source)

    def _extend_reference(self, whole: list[Histogram]) -> None:
        self._first.append(whole)
        if len(self._first) == self._reference_windows:
            self._references = [reference_of(windows) for windows in zip(*self._first, strict=True)]
            self._first = []

    def _alert(
        self, slot: int, finding: DriftFinding, current: Histogram, span: tuple[int, int], next_source: NextSource
    ) -> Iterator[Produced]:
        state = self._alerts.judge(slot, finding)
        if state is None:
            return
        source = next_source()
        if state == "open":
            place = ".".join(str(source[part]) for part in ("topic", "epoch", "partition", "offset", "ordinal"))
            alert = self._alerts.opened(slot, finding, place, STATISTICS[finding.statistic].critical)
        else:
            alert = self._alerts.closed(slot, finding)
        subject = Subject(self._layout.kinds[slot], self._layout.names[slot])
        evidence = evidence_of(self._references[slot], current)
        yield DRIFT_ALERT, alert_record(subject, state, alert, finding, span, evidence, source)

    # -- bytes

    def pack(self) -> bytes:
        """Return the stored form; equal for equal contents."""
        windows = [
            [index, [[p, _packed(parts[p])] for p in sorted(parts)]] for index, parts in sorted(self._windows.items())
        ]
        parts = [
            sorted(self._marks.items()),
            sorted(self._watermarks.items()),
            self._closed,
            self._warm_up,
            windows,
            [_packed(window) for window in self._first],
            [[reference.histogram.pack(), reference.design] for reference in self._references],
            self._alerts.pack(),
            self.late,
            self.skipped,
        ]
        return bytes(msgpack.packb(parts))

    def unpack(self, packed: bytes, same_definitions: bool) -> None:
        """Restore what `pack` returned; under other definitions, only the closed windows."""
        marks, watermarks, closed, warm_up, windows, first, references, alerts, late, skipped = msgpack.unpackb(
            packed, use_list=False
        )
        self._marks = HighWater(marks)
        if not same_definitions:
            return
        self._watermarks, self._closed, self.late, self.skipped = dict(watermarks), closed, late, skipped
        self._warm_up = warm_up
        self._windows = {index: {p: _unpacked(part) for p, part in parts} for index, parts in windows}
        self._first = [_unpacked(window) for window in first]
        self._references = [Reference(Histogram.unpack(packed), design) for packed, design in references]
        self._alerts.unpack(alerts)


def profile_record(
    layout: ProfileLayout,
    span: tuple[int, int],
    partition: int | None,
    watermark: int,
    histograms: Sequence[Histogram],
    source: CoordinateRecord,
    reference: bool = False,
    findings: Sequence[Sequence[DriftFinding]] = (),
) -> FeatureProfileRecord:
    """Return the record tidecast.FeatureProfile; without histograms it carries the watermark only."""
    profiles: list[ProfileRecord] = []
    for slot, histogram in enumerate(histograms):
        values = {finding.statistic: finding.value for finding in (findings[slot] if findings else ())}
        profiles.append(
            {
                "name": layout.names[slot],
                "kind": layout.kinds[slot],
                "histogram": histogram.to_record(),
                "psi": values.get("psi"),
                "ks": values.get("ks"),
            }
        )
    return {
        "profile_id": ".".join(str(source[p]) for p in ("topic", "epoch", "partition", "offset", "ordinal")),
        "window_from": span[0],
        "window_to": span[1],
        "partition": partition,
        "reference": reference,
        "watermark": watermark,
        "profiles": profiles,
        "source": source,
    }


def _packed(histograms: Sequence[Histogram]) -> list[Any]:
    return [histogram.pack() for histogram in histograms]


def _unpacked(packed: Sequence[Any]) -> list[Histogram]:
    return [Histogram.unpack(one) for one in packed]
