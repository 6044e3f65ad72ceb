"""Signs and checks control records: ticks, pauses, switches, deployments, skips.

A signature is the HMAC-SHA256, under a signing key, of a canonical text: topic prefix, log epoch, name, logical topic,
partition and the record's fields. So it is valid in one place of one log only. Null fields are left out: a field that
is added later with null as its default leaves old signatures valid.

Under the key without an id (streams.keys) the text has neither prefix nor epoch, as in logs of that time."""

import json
from typing import TypeVar, cast

from schemas.records import TICK, DeploymentRecord, PauseRecord, SkipRecord, SwitchRecord, TickRecord
from streams.keys import CONTROL, TICKS, Keys, key_id

ControlRecord = TickRecord | PauseRecord | SwitchRecord | DeploymentRecord | SkipRecord
Unsigned = TypeVar("Unsigned", bound=ControlRecord)

SIGNATURE = "signature"
"""The field of a control record that holds its signature; null without a signing key."""

MARK_HEADER = ("tidecast", b"control")
"""Kafka header that marks a control record for other readers. Tidecast does not read it."""


def canonical(
    name: str, record: ControlRecord, topic: str, partition: int, log: tuple[str, int] | None = None
) -> bytes:
    """Return the bytes that are signed: JSON with sorted keys, bytes as hex. `log`: topic prefix and log epoch; None
    under the key without an id."""
    fields = {key: value for key, value in record.items() if key != SIGNATURE and value is not None}
    place = [*([] if log is None else [2, *log]), name, topic, partition, fields]
    return json.dumps(place, sort_keys=True, separators=(",", ":"), default=bytes.hex).encode()


def sign(name: str, record: Unsigned, keys: Keys, topic: str, partition: int) -> Unsigned:
    """Return a copy of the record with its signature for that place; null when no key signs."""
    signature = None
    if keys.signer is not None:
        signature = keys.sign(_purpose(name), _text(keys.signer.id, name, record, keys, topic, partition))
    return cast(Unsigned, {**record, SIGNATURE: signature})


def check(name: str, record: ControlRecord, keys: Keys, topic: str, partition: int) -> bool:
    """Return whether the record carries the signature of one of our keys for that place; True without any key."""
    if not keys:
        return True
    signature = record.get("signature")
    if not isinstance(signature, bytes):
        return False
    id = key_id(signature)
    if id is None:
        return False
    return keys.verify(_purpose(name), _text(id, name, record, keys, topic, partition), signature)


def _purpose(name: str) -> str:
    return TICKS if name == TICK else CONTROL


def _text(id: str, name: str, record: ControlRecord, keys: Keys, topic: str, partition: int) -> bytes:
    return canonical(name, record, topic, partition, (keys.system, keys.epoch) if id else None)
