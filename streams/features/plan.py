"""Compiles a use case's features: from events to a customer's state, and from state and clock to a vector.

Results do not depend on batches. Sums add up in log order within a tile, and in the order of tiles across them."""

from bisect import bisect_left
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from schemas.catalog import Event
from streams.features import distinct
from streams.features.columns import COUNT, DISTINCT, FOLD, MIN, SUM, VALUES
from streams.features.customer_state import CustomerState
from streams.features.feature import (
    Aggregate,
    Derived,
    Feature,
    Latest,
    ReadRegister,
    ReadTiles,
    ReadVector,
    Tiles,
    Total,
    Windowed,
    finite,
)
from streams.features.filled import Read, hide, left
from streams.features.filters import Matches, compile_where, equality
from streams.features.layout import Layout, Selection
from streams.features.stored_form import StoredForm
from streams.features.window import EVER, window
from streams.kernels import kernel

INT64 = 1 << 63


class Declares(Protocol):
    """What a plan needs of a use case."""

    @property
    def features(self) -> tuple[Feature, ...]:
        """In the order of the vector."""
        ...


WindowReads = tuple[int, int, int, list[tuple[int, int, float]], list[tuple[int, ReadTiles]]]
"""Series, tile width, tiles; totals as (place, position, scale), and other readers with their places."""


class _SeriesStep(NamedTuple):
    series: int
    width: int
    kept: int
    empty: list[Any]
    columns: list[tuple[int, int, str, Any]]
    """(position, kind, field, cap of a distinct count or step of a fold)"""


class _Step(NamedTuple):
    """What events of one type and filter change: registers as (index, field or None), and series. `equal`: (field,
    value) where the filter is that alone, else `matches`."""

    equal: tuple[str, Any] | None
    matches: Matches | None
    registers: list[tuple[int, str | None]]
    series: list[_SeriesStep]


class FeaturePlan:
    """Features of a use case in declared order. Holds no customer's data; all times are ms of event time.

    stored: packs states, and unpacks them."""

    def __init__(self, use_case: Declares) -> None:
        features = use_case.features
        self.names: tuple[str, ...] = tuple(feature.name for feature in features)
        self._layout = Layout(features)
        self._steps = self._compile_updates()
        widths = [series.width for series in self._layout.series]
        self._finest = min(widths, default=EVER)
        self._pruned = [(i, s.width, s.tiles) for i, s in enumerate(self._layout.series) if s.width != EVER]
        self._compile_reads(features)
        self.stored = StoredForm(self._layout)

    # -- compiling

    def _compile_updates(self) -> dict[str, list[_Step]]:
        layout = self._layout
        steps: dict[str, list[_Step]] = {}
        for selection, where in layout.filters.items():
            equal = equality(where)
            matches = compile_where(where) if where and equal is None else None
            registers = [(i, f) for i, (s, f) in enumerate(layout.registers) if s == selection]
            step = _Step(equal, matches, registers, self._series_steps(selection))
            for event in selection.events:
                steps.setdefault(event, []).append(step)
        return steps

    def _series_steps(self, selection: Selection) -> list[_SeriesStep]:
        return [
            _SeriesStep(
                i, s.width, s.tiles, s.empty(), [(at + 1, *column.compiled) for at, column in enumerate(s.columns)]
            )
            for i, s in enumerate(self._layout.series)
            if s.selection == selection
        ]

    def _compile_reads(self, features: tuple[Feature, ...]) -> None:
        """Compile totals and aggregates per (series, window), registers and derived features, each with its place in
        the vector; and the vector of a customer of whom nothing is known."""
        self._blank = [feature.unseen for feature in features]
        at = {name: place for place, name in enumerate(self.names)}
        windows: dict[tuple[int, int, int], tuple[list[tuple[int, int, float]], list[tuple[int, ReadTiles]]]] = {}
        self._registers: list[tuple[int, int, ReadRegister]] = []
        self._derived: list[tuple[int, ReadVector]] = []
        self._windowed: list[Read] = []
        self._latest: list[tuple[int, int]] = []
        for place, (feature, (index, positions)) in enumerate(zip(features, self._layout.places, strict=True)):
            if isinstance(feature, Derived):
                self._derived.append((place, feature.reader(at)))
            elif isinstance(feature, Latest):
                self._registers.append((place, index, feature.reader()))
                self._latest.append((place, index))
            elif isinstance(feature, Windowed):
                tiles, width = window(feature.over)
                totals, others = windows.setdefault((index, width, tiles), ([], []))
                if isinstance(feature, Total):
                    totals.append((place, positions[0], feature.factor))
                elif isinstance(feature, Aggregate):
                    others.append((place, feature.reader(positions)))
                self._windowed.append(Read(place, index, width, tiles, positions))
        self._windows: list[WindowReads] = [(*key, *reads) for key, reads in windows.items()]

    # -- events

    def new_state(self) -> CustomerState:
        """Return the state of an unknown customer."""
        return CustomerState([[] for _ in self._layout.series], [None] * len(self._layout.registers))

    def update(self, state: CustomerState, event: str, record: Event, occurred_at: int) -> None:
        """Add an event (short name) to the state; move the clock to the later of both. Events may come out of order.

        Tiles that no window can cover again are dropped."""
        series = state.series
        clock = state.clock
        if occurred_at > clock:
            if occurred_at // self._finest != clock // self._finest:
                _PRUNE(series, self._pruned, occurred_at)
            state.clock = clock = occurred_at
        _APPLY(self._steps.get(event, ()), series, state.registers, record, clock, occurred_at)
        if state.gaps is not None:
            state.gaps = left(state.gaps, self._layout.widths, state.registers, clock)

    # -- vectors

    def vector(self, state: CustomerState, clock: int) -> list[float]:
        """Return all features as of `clock`, or of the state's clock if it is later; NaN is unknown."""
        if clock < state.clock:
            clock = state.clock
        out = self._blank.copy()
        _READ_WINDOWS(out, self._windows, state.series, clock)
        registers = state.registers
        for place, index, read in self._registers:
            register = registers[index]
            if register is not None:
                out[place] = read(register, clock)
        if state.gaps is not None:
            hide(out, state.gaps, self._windowed, self._latest, clock)
        for place, derive in self._derived:
            out[place] = derive(out)
        return out


def _prune(series: list[Tiles], pruned: list[tuple[int, int, int]], clock: int) -> None:
    """Forget the tiles that no window can see at this clock or later. `pruned`: (series, tile width, number of tiles
    kept)."""
    for index, width, kept in pruned:
        tiles = series[index]
        if tiles:
            first = clock // width - kept
            if tiles[0][0] <= first:
                series[index] = [tile for tile in tiles if tile[0] > first]


def _apply(
    steps: Sequence[_Step],
    series: list[Tiles],
    registers: list[Any],
    record: Event,
    clock: int,
    occurred_at: int,
) -> None:
    """Put an event into the registers and tiles that it concerns."""
    for equal, matches, own_registers, changes in steps:
        if equal is not None and record[equal[0]] != equal[1]:
            continue
        if matches is not None and not matches(record):
            continue
        for at, field in own_registers:
            _register(registers, at, occurred_at, record, field)
        for index, width, kept, empty, columns in changes:
            slot = occurred_at // width
            tiles = series[index]
            if tiles and tiles[-1][0] == slot:
                _add(tiles[-1], columns, record)
            elif slot > clock // width - kept:
                _add(_open_tile(tiles, slot, empty), columns, record)


def _register(registers: list[Any], at: int, moment: int, record: Event, field: str | None) -> None:
    latest = registers[at]
    if latest is not None and latest[0] > moment:
        return
    if field is None:
        registers[at] = [moment]
    elif record[field] is not None:
        registers[at] = [moment, record[field]]


def _open_tile(tiles: Tiles, slot: int, empty: list[Any]) -> list[Any]:
    """Return the tile of that slot. Put it in its place if there is none."""
    if not tiles or tiles[-1][0] < slot:
        at = len(tiles)
    else:
        at = bisect_left(tiles, slot, key=lambda tile: tile[0])
        if tiles[at][0] == slot:
            return tiles[at]
    tile = empty.copy()
    tile[0] = slot
    tiles.insert(at, tile)
    return tile


def _add(tile: list[Any], columns: list[tuple[int, int, str, Any]], record: Event) -> None:
    """Put an event into its tile."""
    for position, kind, field, extra in columns:
        if kind == COUNT:
            tile[position] += 1
            continue
        value = record[field]
        if value is None:
            continue
        if kind == SUM:
            total = tile[position] + value
            tile[position] = total if -INT64 <= total < INT64 else float(total)
        elif kind == VALUES:
            tile[position] += 1
        elif kind == DISTINCT:
            if tile[position] is None:
                tile[position] = []
            distinct.add(tile[position], value, extra)
        elif kind == FOLD:
            tile[position] = extra(tile[position], value)
        else:
            best = tile[position]
            if best is None or (value < best if kind == MIN else value > best):
                tile[position] = value


def _read_windows(out: list[float], windows: list[WindowReads], series: list[Tiles], clock: int) -> None:
    """Put what is read from tiles into its places of the vector."""
    for index, width, kept, totals, others in windows:
        tiles = series[index]
        if not tiles:
            continue
        first = clock // width - kept
        if tiles[0][0] <= first:
            tiles = [tile for tile in tiles if tile[0] > first]
        for place, position, scale in totals:
            total: Any = 0  # whole numbers stay exact
            for tile in tiles:
                total += tile[position]
            out[place] = finite(total * scale)
        for place, read in others:
            out[place] = read(tiles, clock)


_KERNEL = kernel("tiles")
_PRUNE = _KERNEL.prune if _KERNEL else _prune
_APPLY = _KERNEL.apply if _KERNEL else _apply
_READ_WINDOWS = _KERNEL.read_windows if _KERNEL else _read_windows
