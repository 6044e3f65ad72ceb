"""Snapshots: a learner's whole state as sealed bytes. Nothing is parsed before the signature is checked.

Layout: 8 bytes MAGIC with the format version, 32 bytes HMAC-SHA256 of (magic, payload) under the system's
signing key, the payload: msgpack of the fields of Snapshot, models as in streams.models.factory."""

import hashlib
import hmac
from dataclasses import dataclass
from typing import Any

import msgpack

from schemas.marks import HighWater
from streams.errors import TidecastError
from streams.identity import Position
from streams.models.declaration import Model
from streams.models.factory import pack_model, unpack_model
from streams.models.version import Version

MAGIC = b"tidecas\x01"
SEAL = 32
LIMIT = 64 * 1024 * 1024
"""The maximum size of a snapshot, bytes. Loaded, River's trees take up to ten times as much memory."""


class BadSnapshot(TidecastError):
    """The bytes are not a valid snapshot: truncated, changed, too large, of another format or another key."""


@dataclass(frozen=True, slots=True)
class Served:
    """The snapshot that a switch names: path in the model store, SHA-256 of its bytes, offset and command."""

    path: str
    digest: bytes
    offset: int
    command: int


@dataclass(slots=True)
class Snapshot:
    """A model with the place in the log that it reflects.

    model: None when the candidate failed at this version's offset; `failure` then says why.
    marks: source partition of customer-events → mark of the last example read.
    position: next record of labelled-examples.
    examples: number learnt since the start of the lineage.
    skipped: number of records that were not examples of this target.
    command: the command that it obeys; 0 for the regular interval.
    served: in a failed snapshot, the last good one, which keeps serving.
    declared: the arm's model and the target's kind, as text.
    deployment_id, deployment_number: of the definitions in force.
    inputs: digest of the features that the model reads (streams.models.inputs); "" in snapshots of former releases.
    Their names are in the model."""

    version: Version
    model: Model | None
    marks: HighWater[int]
    position: Position
    examples: int
    command: int = 0
    skipped: int = 0
    failure: str = ""
    served: Served | None = None
    declared: str = ""
    deployment_id: str = ""
    deployment_number: int = 0
    inputs: str = ""


def seal(payload: bytes, key: bytes, limit: int = LIMIT) -> bytes:
    """Return the payload with its signature in front. Raises BadSnapshot when it has more than `limit` bytes."""
    size = len(MAGIC) + SEAL + len(payload)
    if size > limit:
        raise BadSnapshot(f"The snapshot would have {size} bytes, {limit} are allowed; declare a smaller model.")
    return MAGIC + _digest(payload, key) + payload


def unseal(blob: bytes, key: bytes, limit: int = LIMIT) -> bytes:
    """Return the payload of sealed bytes. Raises BadSnapshot unless size, format and signature are right."""
    if len(blob) > limit:
        raise BadSnapshot(f"The snapshot has {len(blob)} bytes, {limit} are allowed; it is not loaded.")
    if blob[: len(MAGIC)] != MAGIC:
        raise BadSnapshot("These bytes are not a snapshot of this format version; restore it from a backup.")
    payload = blob[len(MAGIC) + SEAL :]
    if not hmac.compare_digest(blob[len(MAGIC) : len(MAGIC) + SEAL], _digest(payload, key)):
        raise BadSnapshot(
            "The snapshot's signature is wrong: it is damaged, or sealed by another signing key; "
            "restore it or set the key it was sealed with."
        )
    return payload


def _digest(payload: bytes, key: bytes) -> bytes:
    # Without a configured key the key is empty, and the seal guards against damage only.
    return hmac.new(key or b"\0", MAGIC + payload, hashlib.sha256).digest()


def dump_snapshot(snapshot: Snapshot, key: bytes, limit: int = LIMIT) -> bytes:
    """Return sealed bytes, equal for equal histories. Raises BadSnapshot when there are too many."""
    served = snapshot.served
    fields: list[Any] = [
        list(snapshot.version),
        None if snapshot.model is None else pack_model(snapshot.model),
        snapshot.marks.pack(),
        list(snapshot.position),
        snapshot.examples,
        snapshot.command,
        snapshot.skipped,
        snapshot.failure,
        None if served is None else [served.path, served.digest, served.offset, served.command],
        snapshot.declared,
        snapshot.deployment_id,
        snapshot.deployment_number,
        *([snapshot.inputs] if snapshot.inputs else []),
    ]
    return seal(msgpack.packb(fields), key, limit)


def load_snapshot(blob: bytes, key: bytes, limit: int = LIMIT) -> Snapshot:
    """Load what `dump_snapshot` sealed. Raises BadSnapshot for any other bytes."""
    payload = unseal(blob, key, limit)
    try:
        return _unpack(msgpack.unpackb(payload))
    except Exception as error:  # any error that a former format or another version of River causes
        raise BadSnapshot(
            f"The snapshot's contents cannot be read ({type(error).__name__}: {error}); use the version of Tidecast "
            "and River that wrote it."
        ) from error


def _unpack(packed: list[Any]) -> Snapshot:
    fields = iter(packed)
    version, model, marks, position = (next(fields) for _ in range(4))
    examples, command, skipped, failure, served, declared, deployment_id, *later = fields
    return Snapshot(
        version=Version(*version),
        model=None if model is None else unpack_model(model),
        marks=HighWater.unpack(marks),
        position=Position(*position),
        examples=examples,
        command=command,
        skipped=skipped,
        failure=failure,
        served=None if served is None else Served(*served),
        declared=declared,
        deployment_id=deployment_id,
        deployment_number=later[0] if later else 0,
        inputs=later[1] if len(later) > 1 else "",
    )
