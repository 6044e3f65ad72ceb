"""Converts the values of a file's columns to values of an Avro schema. Money goes through Decimal, never float."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from functools import lru_cache
from math import isfinite
from typing import Any
from zoneinfo import ZoneInfo

from streams.errors import TidecastError

Convert = Callable[[Any], Any]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)
UNIX = {"s": 1000, "ms": 1}
"""Time formats that are numbers: name → milliseconds per unit."""
TRUE, FALSE = frozenset({"true", "yes", "y", "t", "1"}), frozenset({"false", "no", "n", "f", "0"})
RANGES = {"int": 2**31, "long": 2**63}


class Misfit(TidecastError):
    """A value or a row does not fit; the message says why."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Where a field gets its value: from `column`, or the constant `value`.

    scale: exact factor on a number; an integer field is rounded half to even.
    map: text → value.
    format: format of a time. None is ISO 8601, "s" and "ms" are unix time, anything else is for strptime.
    zone: time zone of times that name none."""

    column: str | None = None
    value: Any = None
    scale: Decimal | None = None
    map: Mapping[str, Any] | None = None
    format: str | None = None
    zone: tzinfo = UTC

    def convert_for(self, schema: Any) -> Convert:
        """Return a function from the column's value to a value of the Avro type. The function raises Misfit.

        An empty text is null where the type allows null."""
        kinds = schema if isinstance(schema, list) else [schema]
        nullable = "null" in kinds
        kind = next((kind for kind in kinds if kind != "null"), "null")
        convert = self._convert(kind)
        table = self.map

        def whole(value: Any) -> Any:
            if table is not None and value is not None:
                try:
                    value = table[_text(value)]
                except KeyError:
                    raise Misfit(f"{str(value)[:80]!r} is none of {', '.join(map(repr, table))}") from None
            if nullable and (value is None or value == ""):
                return None
            if value is None:
                raise Misfit("is empty")
            return convert(value)

        return whole

    def _convert(self, kind: Any) -> Convert:
        name = kind["type"] if isinstance(kind, dict) else kind
        if isinstance(kind, dict) and str(kind.get("logicalType", "")).startswith("timestamp-millis"):
            return time_converter(self.format, self.zone)
        if name in RANGES:
            return _integer(self.scale, RANGES[name])
        if name in ("double", "float"):
            return _double(self.scale)
        return {"string": _text, "boolean": _boolean}.get(name, _structured)


def time_converter(format: str | None, zone: tzinfo) -> Convert:
    """Convert a time to ms since 1970 UTC. A date counts as its midnight."""
    if format in UNIX:
        unit = UNIX[format]
        return _integer(Decimal(unit), RANGES["long"])

    @lru_cache(maxsize=100_000)
    def parse(text: str) -> int:
        try:
            found = datetime.fromisoformat(text) if format is None else datetime.strptime(text, format)
        except ValueError:
            raise Misfit(f"{text[:80]!r} is not a time in the format {format or 'ISO 8601'}") from None
        return _milliseconds(found, zone)

    def convert(value: Any) -> int:
        if isinstance(value, datetime):
            return _milliseconds(value, zone)
        if isinstance(value, date):
            return _milliseconds(datetime(value.year, value.month, value.day), zone)
        if isinstance(value, str):
            return parse(value.strip())
        raise Misfit(f"{value!r} is not a time; for unix time set the format to 's' or 'ms'")

    return convert


def zone_of(name: str) -> tzinfo:
    """Return the time zone of that name. Raises ValueError when there is none."""
    return UTC if name.upper() == "UTC" else ZoneInfo(name)


def _milliseconds(moment: datetime, zone: tzinfo) -> int:
    return ((moment if moment.tzinfo else moment.replace(tzinfo=zone)) - EPOCH) // MILLISECOND


def _number(value: Any) -> Decimal:
    """Return the value as it was written; a float becomes its shortest text."""
    if isinstance(value, bool):
        raise Misfit(f"{value} is not a number")
    try:
        return value if isinstance(value, Decimal) else Decimal(str(value).strip())
    except InvalidOperation:
        if isinstance(value, str) and not value.strip():
            raise Misfit("is empty") from None
        raise Misfit(f"{str(value)[:80]!r} is not a number") from None


def _integer(scale: Decimal | None, limit: int) -> Convert:
    def convert(value: Any) -> int:
        if scale is None and type(value) is int:
            whole = value
        else:
            number = _number(value)
            if not number.is_finite() or number.adjusted() > 30:
                raise Misfit(f"{str(value)[:80]!r} is not finite, or too large")
            if scale is not None:
                number = (number * scale).to_integral_value(ROUND_HALF_EVEN)
            elif number != number.to_integral_value():
                raise Misfit(f"{str(value)[:80]!r} is not a whole number; give the field a scale")
            whole = int(number)
        if not -limit <= whole < limit:
            raise Misfit(f"{str(value)[:80]!r} is too large")
        return whole

    return convert


def _double(scale: Decimal | None) -> Convert:
    def convert(value: Any) -> float:
        number = value if type(value) is float else _number(value)
        result = float(number if scale is None else _number(number) * scale)
        if not isfinite(result):
            raise Misfit(f"{str(value)[:80]!r} is not a finite number")
        return result

    return convert


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool | dict | list):
        return json.dumps(value, default=str)
    if isinstance(value, bytes):
        raise Misfit("holds bytes, not text")
    return str(value)


def _boolean(value: Any) -> bool:
    text = str(value).strip().lower()
    if text in TRUE or text in FALSE:
        return text in TRUE
    raise Misfit(f"{str(value)[:80]!r} is neither true nor false")


def _structured(value: Any) -> Any:
    """Return arrays, maps and records as they are; a text is parsed as JSON."""
    if isinstance(value, str):
        try:
            return _floats(json.loads(value))
        except ValueError:
            return value  # an enum symbol; the codec rejects a wrong one
    return _floats(value)


def _floats(value: Any) -> Any:
    """Return the value with Decimals, which exact JSON has, as plain numbers."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, dict):
        return {key: _floats(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_floats(item) for item in value]
    return value
