"""Checks an Avro body against its schema without making values, before the library may skip parts of it.

The library skips fields that only the writer's schema has, without checking that their bytes exist. A count of 2^62 in
three bytes keeps it busy for ever, and a block with a negative size leads it in a circle. Parts that it reads it
checks itself. Avro specification, "Binary Encoding"."""

from collections.abc import Callable
from typing import Any

Walk = Callable[[bytes, int], int]
"""From the place of a value to the place after it. Raises EOFError where the bytes end too early, and ValueError for
bytes that no encoder writes."""

LONGEST_NUMBER = 10
"""The maximum size of a 64-bit number, bytes: each holds 7 bits."""


def walk_of(schema: Any) -> Walk:
    """Return a function that walks over a value of this schema and returns the place after it.

    The schema must have been parsed by fastavro, so that names are full, and must not be recursive."""
    inner = _Compiler().of(schema)

    def walk(data: bytes, at: int) -> int:
        try:
            return inner(data, at)
        except IndexError:
            raise EOFError from None

    return walk


def _number(data: bytes, at: int) -> tuple[int, int]:
    """Return a zigzag number and the place after it."""
    found = 0
    for shift in range(0, 7 * LONGEST_NUMBER, 7):
        byte = data[at]
        at += 1
        found |= (byte & 0x7F) << shift
        if byte < 0x80:
            return (found >> 1) ^ -(found & 1), at
    raise ValueError("a number has more than 64 bits")


def _skip_number(data: bytes, at: int) -> int:
    return _number(data, at)[1]


def _skip_bytes(data: bytes, at: int) -> int:
    size, at = _number(data, at)
    return _ahead(data, at, size)


def _ahead(data: bytes, at: int, size: int) -> int:
    if size < 0:
        raise ValueError("a length is negative")
    if at + size > len(data):
        raise IndexError
    return at + size


def _of_size(size: int) -> Walk:
    return lambda data, at: _ahead(data, at, size)


_PRIMITIVES: dict[str, Walk] = {
    "null": lambda data, at: at,
    "boolean": _of_size(1),
    "int": _skip_number,
    "long": _skip_number,
    "float": _of_size(4),
    "double": _of_size(8),
    "bytes": _skip_bytes,
    "string": _skip_bytes,
}


class _Compiler:
    """Builds one function per type; declared types are known by name."""

    def __init__(self) -> None:
        self._named: dict[str, Walk] = {}

    def of(self, schema: Any) -> Walk:
        if isinstance(schema, list):
            return _union([self.of(branch) for branch in schema])
        if isinstance(schema, str):
            return _PRIMITIVES.get(schema) or self._named[schema]
        kind = schema["type"]
        if kind in ("array", "map"):
            return _blocks(self.of(schema["items" if kind == "array" else "values"]), kind == "map")
        if kind in ("record", "enum", "fixed"):
            self._named[schema["name"]] = made = self._declared(schema)
            return made
        return self.of(kind)

    def _declared(self, schema: Any) -> Walk:
        if schema["type"] == "record":
            return _record([self.of(field["type"]) for field in schema["fields"]])
        return _skip_number if schema["type"] == "enum" else _of_size(schema["size"])


def _record(fields: list[Walk]) -> Walk:
    def walk(data: bytes, at: int) -> int:
        for field in fields:
            at = field(data, at)
        return at

    return walk


def _union(branches: list[Walk]) -> Walk:
    def walk(data: bytes, at: int) -> int:
        index, at = _number(data, at)
        if not 0 <= index < len(branches):
            raise ValueError("the union has no such branch")
        return branches[index](data, at)

    return walk


def _blocks(item: Walk, keyed: bool) -> Walk:
    """Return the check of arrays and maps: blocks with a count (and a size where the count is negative), until a count
    of 0."""

    def walk(data: bytes, at: int) -> int:
        while True:
            count, at = _number(data, at)
            if count == 0:
                return at
            end = None
            if count < 0:
                size, at = _number(data, at)
                count, end = -count, _ahead(data, at, size)
            for _ in range(count):
                at = item(data, _skip_bytes(data, at) if keyed else at)
            if end is not None and at != end:
                raise ValueError("a block's size does not match its content")

    return walk
