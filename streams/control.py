"""Signatures of control records (ticks, switches, deployments), which decide what everyone else is told.

A signature is the HMAC-SHA256, under the system's signing key, of a canonical text: name, topic (logical,
without a system's prefix), partition and the record's fields. Null fields are left out of it, so that
a field added later with null as its default leaves old signatures valid."""

import hashlib
import hmac
import json
from typing import TypeVar, cast

from schemas.records import DeploymentRecord, SwitchRecord, TickRecord

ControlRecord = TickRecord | SwitchRecord | DeploymentRecord
Unsigned = TypeVar("Unsigned", bound=ControlRecord)

SIGNATURE = "signature"
"""Field of a control record that holds its signature; null without a signing key."""

MARK_HEADER = ("tidecast", b"control")
"""Kafka header that only marks a control record for others; nothing of ours reads it."""


def canonical(name: str, record: ControlRecord, topic: str, partition: int) -> bytes:
    """The bytes that are signed: JSON with sorted keys, bytes as hex."""
    fields = {key: value for key, value in record.items() if key != SIGNATURE and value is not None}
    place = [name, topic, partition, fields]
    return json.dumps(place, sort_keys=True, separators=(",", ":"), default=bytes.hex).encode()


def sign(name: str, record: Unsigned, key: bytes | None, topic: str, partition: int) -> Unsigned:
    """A copy of the record with its signature for that place filled in; null when no key is configured."""
    signature = _digest(name, record, key, topic, partition) if key else None
    return cast(Unsigned, {**record, SIGNATURE: signature})


def check(name: str, record: ControlRecord, key: bytes | None, topic: str, partition: int) -> bool:
    """Whether the record was signed by us for that place; True when no key is configured."""
    if not key:
        return True
    signature = record.get("signature")
    if not isinstance(signature, bytes):
        return False
    return hmac.compare_digest(signature, _digest(name, record, key, topic, partition))


def _digest(name: str, record: ControlRecord, key: bytes, topic: str, partition: int) -> bytes:
    return hmac.new(key, canonical(name, record, topic, partition), hashlib.sha256).digest()
