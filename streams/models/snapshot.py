"""Snapshots: a learner's whole state as sealed bytes. Nothing is parsed before the signature is checked.

Layout: 8 bytes MAGIC with the format version, 32 bytes HMAC-SHA256 of (magic, payload) under the system's
signing key, the payload: msgpack of the fields of Snapshot, models as in streams.models.factory."""

import json
from dataclasses import dataclass
from typing import Any

import msgpack

from schemas.marks import HighWater
from streams.errors import TidecastError
from streams.identity import Position
from streams.keys import SIZE, SNAPSHOTS, WITH_ID, Key, Keys, key_id
from streams.models.declaration import Model
from streams.models.factory import pack_model, unpack_model
from streams.models.version import Version

MAGIC = b"tidecas\x01"
"""Beginning of a snapshot sealed with the key without an id, or with none. Its seal has 32 bytes."""
MAGIC_WITH_ID = b"tidecas\x02"
"""Beginning of a snapshot whose seal names its key, and holds topic prefix and log epoch."""
NO_KEY = Keys.of(Key.of("", b"\0"))
"""Without a configured key the seal guards against damage only."""
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


def seal(payload: bytes, keys: Keys, limit: int = LIMIT) -> bytes:
    """Return the payload with its signature in front. Raises BadSnapshot when it has more than `limit` bytes."""
    keys = keys if keys.signer is not None else NO_KEY
    assert keys.signer is not None
    magic = MAGIC_WITH_ID if keys.signer.id else MAGIC
    sealed = magic + keys.sign(SNAPSHOTS, _text(magic, payload, keys)) + payload
    if len(sealed) > limit:
        raise BadSnapshot(f"The snapshot would have {len(sealed)} bytes, {limit} are allowed; declare a smaller model.")
    return sealed


def unseal(blob: bytes, keys: Keys, limit: int = LIMIT) -> bytes:
    """Return the payload of sealed bytes. Raises BadSnapshot unless size, format and signature are right."""
    if len(blob) > limit:
        raise BadSnapshot(f"The snapshot has {len(blob)} bytes, {limit} are allowed; it is not loaded.")
    magic, signature, payload = _parts(blob)
    keys = keys or NO_KEY
    if not keys.verify(SNAPSHOTS, _text(magic, payload, keys), signature):
        raise BadSnapshot(
            "The snapshot's signature is wrong: it is damaged, or sealed by another signing key or in another log; "
            "restore it or add the key it was sealed with."
        )
    return payload


def sealed_with(blob: bytes) -> str:
    """Return the id of the key that sealed a snapshot. Raises BadSnapshot for other bytes."""
    return key_id(_parts(blob)[1]) or ""


def _parts(blob: bytes) -> tuple[bytes, bytes, bytes]:
    """Return the beginning, the signature and the payload."""
    magic, rest = blob[: len(MAGIC)], blob[len(MAGIC) :]
    if magic == MAGIC:
        return magic, rest[:SIZE], rest[SIZE:]
    if magic == MAGIC_WITH_ID and rest[:1] == WITH_ID and len(rest) > 1:
        size = 2 + rest[1] + SIZE
        return magic, rest[:size], rest[size:]
    raise BadSnapshot("These bytes are not a snapshot of this format version; restore it from a backup.")


def _text(magic: bytes, payload: bytes, keys: Keys) -> bytes:
    log = json.dumps([keys.system, keys.epoch]).encode() if magic == MAGIC_WITH_ID else b""
    return magic + log + payload


def dump_snapshot(snapshot: Snapshot, keys: Keys, limit: int = LIMIT) -> bytes:
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
    return seal(msgpack.packb(fields), keys, limit)


def load_snapshot(blob: bytes, keys: Keys, limit: int = LIMIT) -> Snapshot:
    """Load what `dump_snapshot` sealed. Raises BadSnapshot for any other bytes."""
    payload = unseal(blob, keys, limit)
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
