"""Packs rows as ClickHouse's RowBinary, so that they compare by bytes: NaN equals NaN, and no client converts."""

import re
from collections.abc import Callable
from functools import lru_cache
from struct import Struct, pack
from typing import Any

DAY_MS = 86_400_000
Packer = Callable[[Any], bytes]

NUMBERS = {
    "Int32": Struct("<i"),
    "Int64": Struct("<q"),
    "UInt32": Struct("<I"),
    "UInt64": Struct("<Q"),
    "Float64": Struct("<d"),
    "Bool": Struct("<?"),
}


def packer(type: str) -> Packer:
    """Return a function from a row's value to the bytes of a column of that ClickHouse type. Raises ValueError if it is
    unknown."""
    outer, _, inner = type.partition("(")
    inner = inner[:-1]
    if type in NUMBERS:
        return NUMBERS[type].pack
    if type == "String":
        return text
    if outer == "DateTime64":
        return NUMBERS["Int64"].pack
    if type == "LowCardinality(String)":
        return known_text
    if outer == "LowCardinality":
        return packer(inner)
    if outer == "Nullable":
        return _nullable(packer(inner))
    if type == "Array(Float64)":
        return _doubles
    if outer == "Array":
        return _array(packer(inner))
    if outer == "Map":
        key, value = re.split(r",\s*(?![^(]*\))", inner)
        return _map(packer(key), packer(value))
    raise ValueError(f"the history has no column of the type {type}")


def day(ms: int) -> bytes:
    """Compute toDate32 of a time in ms."""
    return NUMBERS["Int32"].pack(ms // DAY_MS)


def size(number: int) -> bytes:
    """Pack a length: 7 bits per byte, lowest first."""
    if number < 128:
        return b"%c" % number
    return b"%c" % (number & 127 | 128) + size(number >> 7)


def text(value: str | bytes) -> bytes:
    """Pack a String; rows hold text or bytes."""
    data = value if isinstance(value, bytes) else value.encode()
    return size(len(data)) + data


known_text = lru_cache(4096)(text)
"""Pack a String of a LowCardinality column, which has few values, from a cache."""


def _doubles(values: list[float]) -> bytes:
    return size(len(values)) + pack(f"<{len(values)}d", *values)


def _nullable(inner: Packer) -> Packer:
    return lambda value: b"\x01" if value is None else b"\x00" + inner(value)


def _array(inner: Packer) -> Packer:
    return lambda values: size(len(values)) + b"".join(map(inner, values))


def _map(key: Packer, value: Packer) -> Packer:
    return lambda entries: size(len(entries)) + b"".join(key(k) + value(v) for k, v in entries.items())
