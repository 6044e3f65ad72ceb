"""Partial profiles of one source partition: windows stay open until its progress has passed their end."""

from collections.abc import Iterator
from typing import NamedTuple

import msgpack

from schemas.marks import Mark, mark_above
from schemas.records import CoordinateRecord, PredictionRecord
from streams.drift.sketch import Histogram
from streams.monitoring.layout import ProfileLayout


class Closed(NamedTuple):
    """A window that is complete in this partition. Without histograms only time has passed."""

    number: int
    watermark: int
    histograms: list[Histogram]


class PartialProfiles:
    """The profile of a source partition's predictions in each open window.

    Window i spans [i * width, (i + 1) * width) ms of event time. late: number of predictions of closed windows, which
    scoring never makes. skipped: number of predictions that do not fit this deployment."""

    def __init__(self, layout: ProfileLayout, width: int) -> None:
        self._layout = layout
        self._width = width
        self._mark: Mark | None = None
        self._closed: int | None = None  # the windows before this one are closed
        self._windows: dict[int, list[Histogram]] = {}
        self._moment: tuple[int, str, int] | None = None
        self._asked: list[str] = []
        self.late = 0
        self.skipped = 0

    def advance(self, source: CoordinateRecord) -> bool:
        """Return whether a record from this coordinate was not seen before, and remember it."""
        mark = mark_above(self._mark, source)
        if mark is None:
            return False
        self._mark = mark
        return True

    def predicted(self, record: PredictionRecord) -> None:
        """Count a prediction's vector and the champion's answer."""
        target, vector, asked_at = record["target"], record["vector"], record["asked_at"]
        columns = self._layout.columns.get(target)
        if columns is None or len(columns) != len(vector):
            self.skipped += 1
            return
        index = asked_at // self._width
        if self._closed is not None and index < self._closed:
            self.late += 1
            return
        window = self._windows.get(index)
        if window is None:
            window = self._windows[index] = [Histogram() for _ in self._layout.names]
        for place, slot in self._fresh(record, target):
            window[slot].add(vector[place])
        window[self._layout.answers[target]].add(record["value"])

    def _fresh(self, record: PredictionRecord, target: str) -> list[tuple[int, int]]:
        """Return the features of this prediction that no other prediction of the same customer and moment had."""
        moment = (record["source"]["offset"], record["customer_id"], record["asked_at"])
        if moment != self._moment or target in self._asked:
            self._moment, self._asked = moment, []
        fresh = self._layout.fresh(self._asked, target)
        self._asked.append(target)
        return fresh

    def progressed(self, watermark: int) -> Iterator[Closed]:
        """Return the windows that `watermark` (ms) closes, oldest first.

        There is at least one at the first call and whenever the end of a window is passed, even an empty one, because
        the merger must know."""
        passed = watermark // self._width
        if self._closed is not None and passed <= self._closed:
            return
        self._closed = passed
        indices = sorted(index for index in self._windows if index < passed) or [passed - 1]
        for index in indices:
            # Only the last one carries the whole watermark; the others carry the end of their window.
            reached = watermark if index == indices[-1] else (index + 1) * self._width
            yield Closed(index, reached, self._windows.pop(index, []))

    def pack(self) -> bytes:
        """Return the stored form; equal for equal contents."""
        windows = [[index, [histogram.pack() for histogram in self._windows[index]]] for index in sorted(self._windows)]
        parts = [self._mark, self._closed, self.late, self.skipped, self._moment, self._asked, windows]
        return bytes(msgpack.packb(parts))

    def unpack(self, packed: bytes, same_definitions: bool) -> None:
        """Restore what `pack` returned; under other definitions, only the closed windows."""
        mark, closed, late, skipped, moment, asked, windows = msgpack.unpackb(packed, use_list=False)
        self._mark = mark
        if not same_definitions:
            return
        self._closed, self.late, self.skipped, self._moment = closed, late, skipped, moment
        self._asked = list(asked)
        self._windows = {index: [Histogram.unpack(one) for one in histograms] for index, histograms in windows}
