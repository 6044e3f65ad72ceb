"""Converts to times: moments, dates, times of day.

A local time that occurs twice, since the clocks are set back, is told apart by the row before it."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from decimal import Decimal
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from agents.importing.values.misfit import Misfit, shown
from agents.importing.values.notation import Notation

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND, MICROSECOND, DAY = timedelta(milliseconds=1), timedelta(microseconds=1), timedelta(days=1)
UNIX = {"s": timedelta(seconds=1), "ms": MILLISECOND, "us": MICROSECOND, "ns": MICROSECOND / 1000}
"""Time formats that are numbers: name → unit."""
PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
DATE = r"\d{4}-\d{2}-\d{2}"
CLOCK = r"\d{2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?"
ISO = re.compile(rf"{DATE}(?:[T ]{CLOCK}\s?(?:Z|UTC|[+-]\d{{2}}(?::?\d{{2}})?)?)?", re.ASCII | re.IGNORECASE)
"""ISO 8601 as exports write it. Bare digits are none: 1719070641945 would be a day in the year 1719."""
NUMBER = re.compile(r"\d{6,}(?:\.\d*)?", re.ASCII)
PLAUSIBLE = (0, 4_102_444_800)
"""Unix seconds that are probably meant: 1970 to 2100."""
NEAR = timedelta(days=1)
"""A local time that occurs twice is compared with the row before where that is not further away."""

ABSURD = 253_402_300_800
"""Unix seconds of the year 10000."""


class TimeConverter:
    """Converts a time to whole units since 1970 UTC. A date counts as its midnight. Call it in the file's order.

    format: None is ISO 8601; "s", "ms", "us" and "ns" are unix time; anything else is for strptime.
    zone: of times that name none. unit: of the result.
    twice: how many local times occurred twice, because the clocks were set back."""

    def __init__(self, format: str | None, zone: tzinfo, unit: timedelta = MILLISECOND) -> None:
        self.twice = 0
        self._format = format
        self._zone = zone
        self._unit = unit
        self._last: int | None = None
        self._near = NEAR // unit
        self._number = Notation().decimal_parser()
        self._parse = lru_cache(maxsize=100_000)(self._parsed)

    def __call__(self, value: Any) -> int:
        """Return the time of a column's value. Raises Misfit when it is none."""
        if self._format in UNIX:
            return self._unix(value)
        if isinstance(value, str):
            first, second = self._parse(value.strip())
        elif isinstance(value, datetime):
            first, second = self._both(value)
        elif isinstance(value, date):
            first, second = self._both(datetime(value.year, value.month, value.day))
        else:
            raise Misfit(f"{shown(value)} is not a time; for unix time set the format to 's' or 'ms'")
        if first != second:
            self.twice += 1
            first = self._nearer(first, second)
        self._last = first
        return first

    def _parsed(self, text: str) -> tuple[int, int]:
        try:
            if self._format is not None:
                return self._both(datetime.strptime(text, self._format))
            if ISO.fullmatch(text):
                return self._both(datetime.fromisoformat(text.upper().replace(" UTC", "Z").replace("UTC", "Z")))
        except (ValueError, OverflowError):
            pass
        hint = (
            "; for unix time set the format to 's' or 'ms'" if self._format is None and NUMBER.fullmatch(text) else ""
        )
        raise Misfit(f"{shown(text)} is not a time in the format {self._format or 'ISO 8601'}{hint}")

    def _both(self, moment: datetime) -> tuple[int, int]:
        """Return the two instants that a time can mean; equal where it means one."""
        if moment.tzinfo is not None:
            only = (moment - EPOCH) // self._unit
            return only, only
        early, late = (moment.replace(tzinfo=self._zone, fold=fold) for fold in (0, 1))
        first = (early - EPOCH) // self._unit
        if early.utcoffset() == late.utcoffset():
            return first, first
        second = (late - EPOCH) // self._unit
        if second < first:
            raise Misfit(
                f"{moment:%Y-%m-%d %H:%M} does not exist in {self._zone}: the clocks were set forward; correct it, "
                "or the zone in the mapping"
            )
        return first, second

    def _nearer(self, first: int, second: int) -> int:
        """Return the instant that is nearer to the row before. Rows in time order, up or down, are all right then."""
        last = self._last
        if last is None or min(abs(first - last), abs(second - last)) > self._near:
            return first
        return first if abs(first - last) <= abs(second - last) else second

    def _unix(self, value: Any) -> int:
        if isinstance(value, datetime | date):
            raise Misfit(f"{shown(value)} is a time, not a number: leave out the format")
        assert self._format is not None
        number = self._number(value)
        if not number.is_finite():
            raise Misfit(f"{shown(value)} is not a time")
        seconds = number / PER_SECOND[self._format]
        if not -ABSURD < seconds < ABSURD or (abs(seconds) < 10**7 and abs(number) > 10**8):
            raise Misfit(f"{shown(value)} is not a time in the format {self._format!r}{_other_unit(number)}")
        per_second = timedelta(seconds=1) // self._unit
        return int((seconds * per_second).to_integral_value("ROUND_FLOOR"))


def _other_unit(number: Decimal) -> str:
    low, high = PLAUSIBLE
    fitting = [name for name, per_second in PER_SECOND.items() if low < number / per_second < high]
    return f"; it would be one in the format {fitting[0]!r}" if fitting else ""


def time_converter(format: str | None, zone: tzinfo) -> TimeConverter:
    """Return a converter to ms since 1970 UTC."""
    return TimeConverter(format, zone)


def date_converter(format: str | None) -> Callable[[Any], int]:
    """Convert to days since 1970, for Avro's date."""
    days = TimeConverter(format, UTC, DAY)

    def convert(value: Any) -> int:
        return days(value.replace(tzinfo=None) if isinstance(value, datetime) else value)

    return convert


def clock_converter(format: str | None, unit: timedelta) -> Callable[[Any], int]:
    """Convert a time of day to units since midnight, for Avro's time-millis and time-micros."""

    def convert(value: Any) -> int:
        found = value
        if isinstance(value, str):
            text = value.strip()
            try:
                if format is not None:
                    found = datetime.strptime(text, format).time()
                elif re.fullmatch(CLOCK, text, re.ASCII):
                    found = time.fromisoformat(text)
            except ValueError:
                pass
        if not isinstance(found, time):
            raise Misfit(f"{shown(value)} is not a time of day in the format {format or 'HH:MM:SS'}")
        return (datetime.combine(EPOCH, found, UTC) - EPOCH) // unit

    return convert


def zone_of(name: str) -> tzinfo:
    """Return the time zone of that name. Raises ValueError when there is none."""
    return UTC if name.upper() == "UTC" else ZoneInfo(name)
