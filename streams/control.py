"""Signs and checks control records: ticks, switches, deployments.

A signature is the HMAC-SHA256, under the system's signing key, of a canonical text: name, logical topic, partition and
the record's fields. Null fields are left out, so that a field that is added later with null as its default leaves old
signatures valid."""

import hashlib
import hmac
import json
from typing import TypeVar, cast

from schemas.records import DeploymentRecord, SwitchRecord, TickRecord

ControlRecord = TickRecord | SwitchRecord | DeploymentRecord
Unsigned = TypeVar("Unsigned", bound=ControlRecord)

SIGNATURE = "signature"
"""The field of a control record that holds its signature; null without a signing key."""

MARK_HEADER = ("tidecast", b"control")
"""Kafka header that marks a control record for other readers. Tidecast does not read it."""


def canonical(name: str, record: ControlRecord, topic: str, partition: int) -> bytes:
    """Return the bytes that are signed: JSON with sorted keys, bytes as hex."""
    fields = {key: value for key, value in record.items() if key != SIGNATURE and value is not None}
    place = [name, topic, partition, fields]
    return json.dumps(place, sort_keys=True, separators=(",", ":"), default=bytes.hex).encode()


def sign(name: str, record: Unsigned, key: bytes | None, topic: str, partition: int) -> Unsigned:
    """Return a copy of the record with its signature for that place; null when no key is configured."""
    signature = _digest(name, record, key, topic, partition) if key else None
    return cast(Unsigned, {**record, SIGNATURE: signature})


def check(name: str, record: ControlRecord, key: bytes | None, topic: str, partition: int) -> bool:
    """Return whether the record carries our signature for that place; True when no key is configured."""
    if not key:
        return True
    signature = record.get("signature")
    if not isinstance(signature, bytes):
        return False
    return hmac.compare_digest(signature, _digest(name, record, key, topic, partition))


def _digest(name: str, record: ControlRecord, key: bytes, topic: str, partition: int) -> bytes:
    return hmac.new(key, canonical(name, record, topic, partition), hashlib.sha256).digest()
