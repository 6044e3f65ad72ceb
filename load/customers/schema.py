"""The schemas of the records: reference.Activity as registered, and a newer version with one more field."""

import json
import urllib.error
import urllib.request
from io import BytesIO
from typing import Any

import click
import numpy as np
from fastavro import parse_schema, schemaless_reader

from load.customers.behaviour import KINDS, START_MS, Events
from load.customers.encoding import encoded
from load.wire import HEADER, plain

SUBJECT = "reference.Activity"
NEW_FIELD = {"name": "channel", "type": "string", "doc": "How it came.", "default": ""}
NEW_FIELD_BYTES = b"\x06app"


def layouts(registry: str, newer: bool) -> tuple[tuple[bytes, bytes], ...]:
    """Return (wire header, bytes of the fields that follow the known ones) for the registered schema.

    With `newer`, register a version with one more field and return its pair as well. Raises ClickException when the
    registry does not answer, does not know the schema, or holds another one than is encoded here."""
    registry = registry.rstrip("/")
    try:
        found = _request(f"{registry}/subjects/{SUBJECT}/versions/1")
    except urllib.error.HTTPError as error:
        raise click.ClickException(
            f"the registry does not know {SUBJECT} ({error.code}): run `tidecast deploy load/reference/use_case`"
        ) from error
    except OSError as error:
        raise click.ClickException(
            f"the registry at {registry} does not answer ({error}): is the stack up? `tidecast stack status`"
        ) from None
    schema = json.loads(found["schema"])
    known = [(HEADER.pack(0, found["id"]), b"")]
    check(schema, *known[0])
    if newer:
        schema["fields"].append(NEW_FIELD)
        body = json.dumps({"schema": json.dumps(schema)}).encode()
        known.append((HEADER.pack(0, _request(f"{registry}/subjects/{SUBJECT}/versions", body)["id"]), NEW_FIELD_BYTES))
        check(schema, *known[1])
    return tuple(known)


def check(schema: Any, header: bytes, tail: bytes) -> None:
    """Raise ClickException unless an Avro library reads what `encoded` writes."""
    count = len(KINDS)
    kinds, amounts = np.arange(count), np.array([1.5, np.nan, 2.5, 3.5])
    events = Events(np.full(count, START_MS), np.arange(count), kinds, amounts, np.zeros(count, dtype=bool))
    try:
        parsed = parse_schema(plain(schema))
        for number, value in enumerate(encoded(header, np.arange(count), events, tail)):
            body = BytesIO(value[HEADER.size :])
            record: Any = schemaless_reader(body, parsed, None)
            read = (record["customer_id"], record["type"], record["occurred_at"], record["source"], body.read())
            if read != (f"c{number:08d}", KINDS[number], START_MS, "", b""):
                raise ValueError(f"it reads as {record}")
    except Exception as error:
        raise click.ClickException(
            f"{SUBJECT} in the registry is not the schema of load/reference/use_case: {error}"
        ) from error


def _request(url: str, body: bytes | None = None) -> dict[str, Any]:
    headers = {"Content-Type": "application/vnd.schemaregistry.v1+json"}
    with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=10) as answer:
        found: dict[str, Any] = json.load(answer)
    return found
