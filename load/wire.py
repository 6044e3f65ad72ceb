"""Speaking with Tidecast from outside: Confluent's wire format and the registry's HTTP API, nothing of ours."""

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

HEADER = struct.Struct(">bI")


def addresses() -> dict[str, Any]:
    """What `tidecast stack up` wrote into the data folder (TIDECAST_DATA or ./.tidecast)."""
    folder = Path(os.environ.get("TIDECAST_DATA", ".tidecast"))
    try:
        found: dict[str, Any] = json.loads((folder / "stack.json").read_text())
    except FileNotFoundError:
        raise click.ClickException(f"no stack has been started in {folder}: run `tidecast stack up`") from None
    return found


def prefixed(topic: str) -> str:
    """A topic or group as it is named here (TIDECAST_TOPIC_PREFIX)."""
    return os.environ.get("TIDECAST_TOPIC_PREFIX", "") + topic


class Wire:
    """Encodes and decodes records by the schemas that the registry has; timestamps stay ints in ms."""

    def __init__(self, registry: str) -> None:
        """`registry`: base URL of the Confluent API."""
        self._registry = registry.rstrip("/")
        self._writers: dict[str, tuple[bytes, Any]] = {}
        self._readers: dict[int, tuple[str, Any]] = {}

    def encode(self, name: str, record: Mapping[str, Any]) -> bytes:
        """A record by the latest schema of the subject `name`."""
        if name not in self._writers:
            found = self._get(f"/subjects/{name}/versions/latest")
            self._writers[name] = (HEADER.pack(0, found["id"]), parse_schema(plain(json.loads(found["schema"]))))
        header, schema = self._writers[name]
        out = BytesIO()
        out.write(header)
        schemaless_writer(out, schema, record)
        return out.getvalue()

    def decode(self, value: bytes) -> tuple[str, dict[str, Any]]:
        """(full name, record)."""
        _, number = HEADER.unpack_from(value)
        if number not in self._readers:
            schema = json.loads(self._get(f"/schemas/ids/{number}")["schema"])
            name = f"{schema['namespace']}.{schema['name']}"
            self._readers[number] = (name, parse_schema(plain(schema)))
        name, parsed = self._readers[number]
        return name, schemaless_reader(BytesIO(value[5:]), parsed, None)

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
    """The first field of a framed record whose first field is a string shorter than 64 bytes: a fiftieth of the work
    of decoding it all."""
    start = HEADER.size + 1
    return value[start : start + value[HEADER.size] // 2]


def plain(schema: Any) -> Any:
    """The schema without logical types."""
    if isinstance(schema, dict):
        return {key: plain(value) for key, value in schema.items() if key != "logicalType"}
    if isinstance(schema, list):
        return [plain(item) for item in schema]
    return schema
