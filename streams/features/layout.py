"""The layout of a customer's state, and the conversion of a state of another layout.

*Series*: tiles of one width over one set of events and one filter, shared by all features that can use them. A tile is
a list [slot, column, ...] with the columns that these features need. *Register*: the latest event of a set and filter,
with or without the value of a field. A *cell* (a register, or a column of a series) is named by its content only. A
layout's fingerprint lists the hashes of these names, so that every state says what it holds."""

import struct
from collections.abc import Sequence
from hashlib import blake2b
from typing import Any, NamedTuple

from streams.features.columns import Column
from streams.features.feature import Feature, Latest, OfEvents, Tiles, Windowed, names
from streams.features.filled import Gap, Gaps, Retained, first_whole
from streams.features.filters import Where, where_key
from streams.features.window import window


class Selection(NamedTuple):
    """A selection of events. `where` is compared by its key."""

    events: tuple[str, ...]
    key: str


class Series:
    """Tiles of one width. `tiles`: how many of them the widest window covers."""

    def __init__(self, selection: Selection, width: int) -> None:
        self.selection = selection
        self.width = width
        self.tiles = 0
        self.columns: list[Column] = []

    def position(self, column: Column) -> int:
        """Return the place of a column in a tile (0 is the slot); add it if it is new."""
        if column not in self.columns:
            self.columns.append(column)
        return self.columns.index(column) + 1

    def empty(self, slot: int = 0) -> list[Any]:
        """Return a tile without events."""
        return [slot, *(column.empty for column in self.columns)]


Registers = list[list[Any] | None]


class Layout:
    """Series and registers of a set of features, in declared order."""

    def __init__(self, features: Sequence[Feature]) -> None:
        self.series: list[Series] = []
        self.registers: list[tuple[Selection, str | None]] = []
        self.filters: dict[Selection, Where] = {}
        self.places: list[tuple[int, tuple[int, ...]]] = []
        """Per feature: index of its series and positions of its columns, or index of its register."""
        for feature in features:
            self.places.append(self._place(feature))
        self._cells = [self._register_names(), *(self._column_names(s) for s in self.series)]
        self.fingerprint = b"".join(struct.pack("<H", len(part)) + b"".join(part) for part in self._cells)

    def _place(self, feature: Feature) -> tuple[int, tuple[int, ...]]:
        if not isinstance(feature, OfEvents):
            return -1, ()
        where = feature.filter
        selection = Selection(tuple(sorted(set(names(feature.of)))), where_key(where))
        self.filters[selection] = where
        if isinstance(feature, Latest):
            register = (selection, feature.kept)
            if register not in self.registers:
                self.registers.append(register)
            return self.registers.index(register), ()
        assert isinstance(feature, Windowed)
        tiles, width = window(feature.over)
        series = self._series_of(selection, width)
        series.tiles = max(series.tiles, tiles)
        return self.series.index(series), tuple(series.position(column) for column in feature.columns())

    def _series_of(self, selection: Selection, width: int) -> Series:
        for series in self.series:
            if series.selection == selection and series.width == width:
                return series
        self.series.append(Series(selection, width))
        return self.series[-1]

    def _register_names(self) -> list[bytes]:
        return [_hash(repr(("register", *selection, field))) for selection, field in self.registers]

    def _column_names(self, series: Series) -> list[bytes]:
        return [_hash(repr((series.width, *series.selection, *column))) for column in series.columns]

    def moves_from(self, fingerprint: bytes) -> "Moves":
        """Return how to convert a state with that fingerprint to this layout."""
        old_registers, *old_series = _parse(fingerprint)
        own_registers, *own_series = self._cells
        found = {cell: (i, at + 1) for i, part in enumerate(old_series) for at, cell in enumerate(part)}
        series = []
        for cells in own_series:
            sources = [found.get(cell) for cell in cells]
            origin = next((source[0] for source in sources if source), None)
            series.append((origin, [source and source[1] for source in sources]))
        return Moves([_index(old_registers, cell) for cell in own_registers], series)

    @property
    def widths(self) -> list[tuple[int, int]]:
        """Per series: tile width in ms, and tiles of the widest window."""
        return [(series.width, series.tiles) for series in self.series]

    def move(
        self, moves: "Moves", registers: Registers, series: list[Tiles], clock: int
    ) -> tuple[Registers, list[Tiles]]:
        """Return a state's contents in this layout: cells that both have are kept, and new ones start empty."""
        moved = []
        for own, (origin, positions) in zip(self.series, moves.series, strict=True):
            first = clock // own.width - own.tiles
            tiles = [] if origin is None else [tile for tile in series[origin] if tile[0] > first]
            empty = own.empty()[1:]
            moved.append(
                [[t[0], *(e if p is None else t[p] for p, e in zip(positions, empty, strict=True))] for t in tiles]
            )
        return [None if at is None else registers[at] for at in moves.registers], moved

    def gaps(self, moves: "Moves", before: Retained | None, clock: int) -> Gaps:
        """Return what a state of another layout lacks of what this one would have kept.

        before: what its writer kept; None if that is unknown, and then only new cells have gaps. clock: the state's,
        in ms, at least one event old."""
        columns: list[list[Gap]] = []
        for own, (origin, positions) in zip(self.series, moves.series, strict=True):
            gaps: list[Gap] = []
            for position in positions:
                if origin is None or position is None:
                    gaps.append(first_whole(clock, own.width, 0, None))
                elif before is None:
                    gaps.append(None)
                else:
                    gap = before.gaps.columns[origin][position - 1] if before.gaps else None
                    gaps.append(first_whole(clock, own.width, before.tiles[origin], gap))
            columns.append(gaps)
        held = before.gaps.registers if before and before.gaps else None
        registers = [clock if at is None else held[at] if held else None for at in moves.registers]
        return Gaps(columns, registers)


class Moves(NamedTuple):
    """Per register its old index; per series its old index and each column's old position; None is new."""

    registers: list[int | None]
    series: list[tuple[int | None, list[int | None]]]


def _hash(name: str) -> bytes:
    return blake2b(name.encode(), digest_size=4).digest()


def _index(cells: list[bytes], cell: bytes) -> int | None:
    return cells.index(cell) if cell in cells else None


def _parse(fingerprint: bytes) -> list[list[bytes]]:
    parts, at = [], 0
    while at < len(fingerprint):
        (size,) = struct.unpack_from("<H", fingerprint, at)
        parts.append([fingerprint[i : i + 4] for i in range(at + 2, at + 2 + 4 * size, 4)])
        at += 2 + 4 * size
    return parts
