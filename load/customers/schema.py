"""The schemas of the records: the registry's of reference.Activity, and a newer one with a field more."""

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
MORE = {"name": "channel", "type": "string", "doc": "How it came.", "default": ""}
MORE_BYTES = b"\x06app"


def layouts(registry: str, newer: bool) -> tuple[tuple[bytes, bytes], ...]:
    """(zero byte and schema id, bytes after the known fields) of the schema as registered, and with `newer` of one
    with a field more, which is registered now. ClickException when the schema is not the one that is encoded here."""
    registry = registry.rstrip("/")
    try:
        found = _asked(f"{registry}/subjects/{SUBJECT}/versions/1")
    except urllib.error.HTTPError as error:
        raise click.ClickException(
            f"The registry does not know {SUBJECT} ({error.code}): run `tidecast deploy load/reference/use_case`."
        ) from error
    except OSError as error:
        raise click.ClickException(f"The registry at {registry} does not answer ({error}): is the stack up?") from None
    schema = json.loads(found["schema"])
    known = [(HEADER.pack(0, found["id"]), b"")]
    check(schema, *known[0])
    if newer:
        schema["fields"].append(MORE)
        body = json.dumps({"schema": json.dumps(schema)}).encode()
        known.append((HEADER.pack(0, _asked(f"{registry}/subjects/{SUBJECT}/versions", body)["id"]), MORE_BYTES))
        check(schema, *known[1])
    return tuple(known)


def check(schema: Any, header: bytes, tail: bytes) -> None:
    """Whether an Avro library reads what `encoded` writes; ClickException when not."""
    count = len(KINDS)
    kinds, amounts = np.arange(count), np.array([1.5, np.nan, 2.5, 3.5])
    events = Events(np.full(count, START_MS), np.arange(count), kinds, amounts, np.zeros(count, dtype=bool))
    try:
        parsed = parse_schema(plain(schema))
        for number, value in enumerate(encoded(header, np.arange(count), events, tail)):
            body = BytesIO(value[HEADER.size :])
            record: Any = schemaless_reader(body, parsed, None)
            told = (record["customer_id"], record["type"], record["occurred_at"], record["source"], body.read())
            if told != (f"c{number:08d}", KINDS[number], START_MS, "", b""):
                raise ValueError(f"it reads as {record}")
    except Exception as error:
        raise click.ClickException(
            f"{SUBJECT} is not the schema of load/reference/use_case, which this generator writes: {error}"
        ) from error


def _asked(url: str, body: bytes | None = None) -> dict[str, Any]:
    headers = {"Content-Type": "application/vnd.schemaregistry.v1+json"}
    with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=10) as answer:
        found: dict[str, Any] = json.load(answer)
    return found
