"""How a feature's value is read from its tiles or its register."""

from collections.abc import Callable
from math import nan
from typing import Any

from streams.features import distinct
from streams.features.declarations import Attribute, DistinctCount, Last, Max, Mean, Min, TimeSince
from streams.features.layout import Tiles
from streams.features.window import UNITS, window

ReadTiles = Callable[[Tiles], float]
"""Value from the tiles of the feature's window, at least one."""
ReadRegister = Callable[[list[Any], int], float]
"""Value from a register that is set, as of a clock in ms."""


def tiles_reader(feature: Mean | Min | Max | DistinctCount, positions: tuple[int, ...]) -> ReadTiles:
    """The reader of an aggregate that is not just a total; `positions` are those of its columns in a tile."""
    at = positions[0]
    if isinstance(feature, DistinctCount):
        cap = feature.cap
        return lambda tiles: distinct.count([tile[at] for tile in tiles if tile[at] is not None], cap)
    scale = float(feature.scale)
    if isinstance(feature, Mean):
        return _mean(at, positions[1], scale)
    best = min if isinstance(feature, Min) else max
    return _extreme(best, at, scale)


def _mean(total_at: int, values_at: int, scale: float) -> ReadTiles:
    def read(tiles: Tiles) -> float:
        total = values = 0
        for tile in tiles:
            total += tile[total_at]
            values += tile[values_at]
        return finite(total / values * scale) if values else nan

    return read


def _extreme(best: Callable[..., Any], at: int, scale: float) -> ReadTiles:
    def read(tiles: Tiles) -> float:
        value = best((tile[at] for tile in tiles if tile[at] is not None), default=nan)
        return finite(value * scale)

    return read


def register_reader(feature: Last | TimeSince | Attribute) -> ReadRegister:
    """The reader of a feature of the latest event alone."""
    if isinstance(feature, TimeSince):
        unit = UNITS[feature.unit]
        return lambda register, clock: (clock - register[0]) / unit
    if isinstance(feature, Attribute):
        if feature.equals is None:
            return lambda register, clock: float(register[1])
        equals = feature.equals
        return lambda register, clock: 1.0 if register[1] == equals else 0.0
    tiles, width = window(feature.over)
    scale = float(feature.scale)
    return lambda register, clock: finite(register[1] * scale) if register[0] // width > clock // width - tiles else nan


def finite(value: float) -> float:
    """The value as a double; unknown (NaN) when it is too large for one."""
    return value if value - value == 0.0 else nan
