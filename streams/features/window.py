"""Parses windows and durations: "24h" is 24 hourly tiles, "30d" 30 daily ones, "13w" 13 weekly ones."""

import re
from typing import NamedTuple

from streams.errors import DeclarationError

UNITS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
"""Milliseconds per unit. Every unit is a multiple of the units before it, so that tiles nest."""
TILE_UNITS = ("m", "h", "d", "w")
MOST_TILES = 1_000
LONGEST = 400_000 * UNITS["d"]
"""About 1,100 years: a due time beyond 2^53 ms could not be kept (streams.state.rules)."""
EVER = 1 << 62
"""The tile width of "since the first event". It is longer than any time, so that all times lie in tile 0 or -1."""

_TEXT = re.compile(r"([0-9]{1,15})(ms|s|m|h|d|w)")


class Window(NamedTuple):
    """The tile that holds the clock, and the `tiles` - 1 tiles before it.

    Tiles are `width` ms wide and aligned to 1970-01-01 UTC, so that weeks begin on Thursdays."""

    tiles: int
    width: int


def duration_ms(text: str) -> int:
    """Return the milliseconds of a duration such as "90s" or "30d". Raises DeclarationError otherwise, or beyond
    LONGEST."""
    number, unit = _parse(text)
    if number * UNITS[unit] > LONGEST:
        raise DeclarationError(f"{text!r} is longer than a thousand years; write a shorter one")
    return number * UNITS[unit]


def window(text: str | None) -> Window:
    """Return the window that a declaration's `over` names; None is "since the first event".

    Raises DeclarationError for any other text, or for more than MOST_TILES tiles."""
    if text is None:
        return Window(2, EVER)
    number, unit = _parse(text)
    if unit not in TILE_UNITS:
        raise DeclarationError(f"{text!r} is not a window; the finest tiles are minutes, as in '15m'")
    if number > MOST_TILES:
        raise DeclarationError(f"{text!r} has {number} tiles of 1{unit}; use a coarser unit, {MOST_TILES} at most")
    return Window(number, UNITS[unit])


def _parse(text: object) -> tuple[int, str]:
    found = _TEXT.fullmatch(text) if isinstance(text, str) else None
    if found is None or int(found[1]) == 0:
        raise DeclarationError(f"{text!r} is not a duration; write a number and a unit m, h, d or w, as in '30d'")
    return int(found[1]), found[2]
