"""Access to Tidecast from outside: Confluent's wire format and the HTTP API of the schema registry."""

import json
import os
import struct
import urllib.error
import urllib.request
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import click
from fastavro import parse_schema, schemaless_reader, schemaless_writer

from schemas.catalog import Decoded

HEADER = struct.Struct(">bI")
"""Zero byte and schema id, before the Avro bytes of every record."""


def stack_addresses() -> dict[str, Any]:
    """Return the addresses that `tidecast stack up` wrote to the data folder (TIDECAST_DATA or ./.tidecast).

    Raises ClickException when no stack was started there."""
    folder = Path(os.environ.get("TIDECAST_DATA", ".tidecast"))
    try:
        found: dict[str, Any] = json.loads((folder / "stack.json").read_text())
    except FileNotFoundError:
        raise click.ClickException(f"no stack was started in {folder}: run `tidecast stack up`") from None
    return found


def prefixed(name: str) -> str:
    """Return the name of a topic or group with the deployment's prefix (TIDECAST_TOPIC_PREFIX)."""
    return os.environ.get("TIDECAST_TOPIC_PREFIX", "") + name


class Wire:
    """Encodes and decodes records with the schemas of the registry. Timestamps stay integers in ms."""

    def __init__(self, registry: str) -> None:
        """`registry`: base URL of the Confluent API."""
        self._registry = registry.rstrip("/")
        self._writers: dict[str, tuple[bytes, Any]] = {}
        self._readers: dict[int, tuple[str, Any]] = {}

    def encode(self, name: str, record: Mapping[str, Any]) -> bytes:
        """Encode a record with the latest schema of the subject `name`."""
        if name not in self._writers:
            found = self._get(f"/subjects/{name}/versions/latest")
            self._writers[name] = (HEADER.pack(0, found["id"]), parse_schema(plain(json.loads(found["schema"]))))
        header, schema = self._writers[name]
        out = BytesIO()
        out.write(header)
        schemaless_writer(out, schema, record)
        return out.getvalue()

    def decode(self, value: bytes) -> tuple[str, Decoded]:
        """Return the full name of the schema, and the record."""
        _, schema_id = HEADER.unpack_from(value)
        if schema_id not in self._readers:
            schema = json.loads(self._get(f"/schemas/ids/{schema_id}")["schema"])
            name = f"{schema['namespace']}.{schema['name']}"
            self._readers[schema_id] = (name, parse_schema(plain(schema)))
        name, parsed = self._readers[schema_id]
        return name, schemaless_reader(BytesIO(value[HEADER.size :]), parsed, None)

    def _get(self, path: str) -> dict[str, Any]:
        try:
            with urllib.request.urlopen(self._registry + path, timeout=10) as answer:
                found: dict[str, Any] = json.load(answer)
        except urllib.error.HTTPError:
            raise
        except OSError as error:
            raise click.ClickException(
                f"the registry at {self._registry} does not answer ({error}): is the stack up? `tidecast stack status`"
            ) from None
        return found


def leading_text(value: bytes) -> bytes:
    """Return the first field of a framed record, if it is a string shorter than 64 bytes.

    It takes a fiftieth of the work of decoding the whole record."""
    start = HEADER.size + 1
    return value[start : start + value[HEADER.size] // 2]


def plain(schema: Any) -> Any:
    """Return the schema without logical types."""
    if isinstance(schema, dict):
        return {key: plain(value) for key, value in schema.items() if key != "logicalType"}
    if isinstance(schema, list):
        return [plain(item) for item in schema]
    return schema
