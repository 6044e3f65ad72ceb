"""Writes a record's content, so that equal contents have equal bytes whatever schema they were written by."""

from collections.abc import Callable
from io import BytesIO
from typing import Any
from zlib import crc32

from fastavro import parse_schema, schemaless_writer

from schemas.catalog import Decoded, Schema
from schemas.forms import strip_logical_types
from streams.avro.compiled_writer import compiled
from streams.kernels import kernel

Content = Callable[[Decoded], bytes | None]
"""From a record to its content; None when that is the body as its producer wrote it."""


def content_by(ours: Schema, written_by_it: bool) -> Content | None:
    """Return the function for records that our schema reads; None when each can be written in one way only.

    written_by_it: the writer's schema is the same."""
    rewrite = _rewriter(ours)
    if not written_by_it:
        return rewrite
    maps = [field for field in ours["fields"] if _has_map(field["type"])]
    if not maps:
        return None
    if len(maps) == 1 and not _is_deep(maps[0]["type"]):
        only = maps[0]["name"]
        return lambda record: rewrite(record) if len(record[only] or ()) > 1 else None
    flat = [field["name"] for field in maps if not _is_deep(field["type"])]
    deep = [field["name"] for field in maps if _is_deep(field["type"])]

    def content(record: Decoded) -> bytes | None:
        for name in flat:
            entries = record[name]
            if entries is not None and len(entries) > 1:
                return rewrite(record)
        for name in deep:
            if _many(record[name]):
                return rewrite(record)
        return None

    return content


def _checksum(data: bytes, start: int) -> bytes:
    """Return 2 bytes of the CRC-32 of a content that begins there. Zero bytes at the end do not count.

    So a schema may grow by fields whose default is null, 0 or empty: the record of before and that of after are the
    same."""
    return (crc32(data[start:].rstrip(b"\0")) & 0xFFFF).to_bytes(2, "big")


START = 5
"""Where a body begins: after the magic byte and the schema id."""
_KERNEL = kernel("bodies")
checksum: Callable[[bytes, int], bytes] = _KERNEL.checksum if _KERNEL else _checksum


def _rewriter(ours: Schema) -> Callable[[Decoded], bytes]:
    plain = strip_logical_types(ours)
    write, parsed = compiled(plain), parse_schema(plain)

    def rewrite(record: Decoded) -> bytes:
        record = _ordered(record)
        try:
            return write(record)
        except Exception:  # types that the compiled writer does not support
            out = BytesIO()
            schemaless_writer(out, parsed, record)
            return out.getvalue()

    return rewrite


def _has_map(schema: Any) -> bool:
    if isinstance(schema, dict):
        return schema.get("type") == "map" or any(map(_has_map, schema.values()))
    return isinstance(schema, list) and any(map(_has_map, schema))


def _is_deep(schema: Any) -> bool:
    """Return whether a type with a map is more than a map of primitive values, or null."""
    branches = schema if isinstance(schema, list) else [schema]
    maps = [branch for branch in branches if branch != "null"]
    return len(maps) > 1 or maps[0]["type"] != "map" or not isinstance(maps[0]["values"], str)


def _many(value: Any) -> bool:
    """Return whether a value has an inner order: encoders may write the entries of a map in any."""
    if isinstance(value, dict):
        return len(value) > 1 or any(map(_many, value.values()))
    return isinstance(value, list) and any(map(_many, value))


def _ordered(value: Any) -> Any:
    """Return the value with sorted maps. The order of a record's fields is the schema's."""
    if isinstance(value, dict):
        return {key: _ordered(value[key]) for key in sorted(value)}
    return [_ordered(item) for item in value] if isinstance(value, list) else value
