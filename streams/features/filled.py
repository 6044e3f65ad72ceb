"""Which windows are filled in the state of a customer who was there before the features changed.

A state keeps what its own features need. After a change, a longer or a new window lacks what was dropped or never kept,
so that its value is unknown until the window lies behind that. The history of a customer who comes later is whole since
its first event: such a state has no gaps."""

from collections.abc import Sequence
from math import nan
from typing import Any, NamedTuple

Gap = int | None
"""Where a gap ends; None where there is none."""


class Gaps(NamedTuple):
    """What a state lacks.

    columns: per series and column, the first slot from which on its tiles are whole. registers: per register, the time
    in ms up to which its events were not kept."""

    columns: list[list[Gap]]
    registers: list[Gap]

    @property
    def any(self) -> bool:
        """Whether there is a gap."""
        return any(gap is not None for part in (*self.columns, self.registers) for gap in part)


class Retained(NamedTuple):
    """What the writer of a state kept. tiles: per series, how many its widest window covered. gaps: None for none."""

    tiles: list[int]
    gaps: Gaps | None = None


class Read(NamedTuple):
    """A windowed feature: its place in the vector, series, tile width in ms, tiles, and positions in a tile."""

    place: int
    series: int
    width: int
    tiles: int
    positions: tuple[int, ...]


def first_whole(clock: int, width: int, kept: int, before: Gap) -> int:
    """Return the first slot of which nothing was dropped, by one who kept `kept` tiles until `clock`, in ms.

    kept: 0 for a column that was not kept at all: of the slot of the clock itself the first events are missing.
    before: the gap when that began."""
    first = clock // width - kept + 1
    return first if before is None else max(first, before)


def left(
    gaps: Gaps, widths: Sequence[tuple[int, int]], registers: Sequence[list[Any] | None], clock: int
) -> Gaps | None:
    """Return the gaps that a feature can still see at this clock; None when there are none.

    `widths`: per series, tile width in ms and tiles of its widest window."""
    columns: list[list[Gap]] = [
        [None if first is None or first <= clock // width - tiles + 1 else first for first in gap]
        for gap, (width, tiles) in zip(gaps.columns, widths, strict=True)
    ]
    unseen = [
        None if until is None or (latest is not None and latest[0] > until) else until
        for until, latest in zip(gaps.registers, registers, strict=True)
    ]
    seen = Gaps(columns, unseen)
    return seen if seen.any else None


def hide(out: list[float], gaps: Gaps, windowed: Sequence[Read], latest: Sequence[tuple[int, int]], clock: int) -> None:
    """Replace what may depend on a gap by unknown. `latest`: place in the vector and register of other features."""
    for place, series, width, tiles, positions in windowed:
        begin, columns = clock // width - tiles + 1, gaps.columns[series]
        if any((first := columns[at - 1]) is not None and begin < first for at in positions):
            out[place] = nan
    for place, register in latest:
        if gaps.registers[register] is not None:
            out[place] = nan
