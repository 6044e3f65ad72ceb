"""The signing keys of a system: several with ids. All verify; the one that a deployment record names first signs.

Ticks, control records and snapshots have a key each, derived from a secret, so that whoever publishes ticks holds
nothing else. The key without an id is that of logs from before keys had ids: it signs all three, as it did then."""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from streams.errors import KeyMissing

TICKS, CONTROL, SNAPSHOTS = PURPOSES = ("ticks", "control", "snapshots")
SIZE = 32
"""Bytes of a signature without its key's id."""
WITH_ID = b"\x02"
"""First byte of a signature that names its key. One of the key without an id is SIZE bytes and no more."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key. id: 1 to 32 characters, or "". parts: purpose → key; that of a publisher has ticks only."""

    id: str
    parts: Mapping[str, bytes]

    @classmethod
    def of(cls, id: str, secret: bytes) -> "Key":
        """Return the key of a secret."""
        return cls(
            id, {purpose: _mac(secret, b"tidecast " + purpose.encode()) if id else secret for purpose in PURPOSES}
        )

    @property
    def name(self) -> str:
        """The id and a fingerprint, as a deployment record lists it."""
        return f"{self.id}:{_mac(self.parts[TICKS], b'tidecast fingerprint').hex()[:8]}"


@dataclass(frozen=True, slots=True)
class Keys:
    """The ring of a process, for one log.

    ring: every key that verifies. signer: the one that signs; None signs nothing.
    system, epoch: topic prefix and log epoch, which every signature holds."""

    ring: tuple[Key, ...] = ()
    signer: Key | None = None
    system: str = ""
    epoch: int = 0

    @classmethod
    def of(cls, *ring: Key, system: str = "", epoch: int = 0) -> "Keys":
        """Return a ring whose first key signs."""
        return cls(ring, ring[0] if ring else None, system, epoch)

    def __bool__(self) -> bool:
        return bool(self.ring)

    @property
    def checks_control(self) -> bool:
        """Whether it holds keys of all purposes; a publisher holds those of ticks only."""
        return all(CONTROL in key.parts for key in self.ring)

    def names(self) -> tuple[str, ...] | None:
        """Return what a deployment record lists: the key that signs from there on, then the others. None: only the key
        without an id signs, or nothing does."""
        return tuple(key.name for key in self.ring) if self.ring and self.ring[0].id else None

    def of_log(self, epoch: int) -> "Keys":
        """Return the same keys in the logs of an epoch."""
        return replace(self, epoch=epoch)

    def in_force(self, names: Sequence[str] | None) -> "Keys":
        """Return the same ring, with the signer that a deployment record lists first.

        Raises KeyMissing when this process lacks a listed key, and so would refuse what others sign."""
        if not self.ring:
            return self
        known = {key.name for key in self.ring}
        for name in names or ():
            if name not in known:
                raise KeyMissing(_missing(name, self.ring))
        return self.signing_as(names)

    def signing_as(self, names: Sequence[str] | None) -> "Keys":
        """Return the same ring with the signer that a deployment record lists first. Raises KeyMissing."""
        return self.signing_with(names[0].partition(":")[0] if names else "")

    def signing_with(self, id: str) -> "Keys":
        """Return the same ring with another signer. Raises KeyMissing when it is not in the ring."""
        if not self.ring:
            return self
        for key in self.ring:
            if key.id == id:
                return replace(self, signer=key)
        raise KeyMissing(_missing(f"{id}:", self.ring))

    def sign(self, purpose: str, text: bytes) -> bytes:
        """Return the signature of a text. `signer` must be set."""
        assert self.signer is not None
        mac = _mac(self.signer.parts[purpose], text)
        id = self.signer.id.encode()
        return WITH_ID + bytes([len(id)]) + id + mac if id else mac

    def verify(self, purpose: str, text: bytes, signature: bytes) -> bool:
        """Return whether a key of the ring has signed the text for this purpose."""
        id = key_id(signature)
        if id is None:
            return False
        return any(
            hmac.compare_digest(signature[-SIZE:], _mac(key.parts[purpose], text))
            for key in self.ring
            if key.id == id and purpose in key.parts
        )


def key_id(signature: bytes) -> str | None:
    """Return the id of the key that a signature names; None when these bytes are no signature."""
    if len(signature) == SIZE:
        return ""
    if signature[:1] != WITH_ID or len(signature) < 2 or len(signature) != 2 + signature[1] + SIZE:
        return None
    try:
        return signature[2:-SIZE].decode() or None
    except UnicodeDecodeError:
        return None


def _missing(name: str, ring: Sequence[Key]) -> str:
    id, _, fingerprint = name.partition(":")
    if not id:
        return (
            "the log was signed with the key without an id, which this process lacks: keep it in TIDECAST_SIGNING_KEY "
            "(it verifies old records, and signs nothing once `tidecast deploy` has announced TIDECAST_SIGNING_KEYS)"
        )
    if any(key.id == id for key in ring):
        return (
            f"the log is signed with a key {id!r} (fingerprint {fingerprint}), and the {id!r} of this process is "
            "another: correct TIDECAST_SIGNING_KEYS, and give every key an id of its own"
        )
    return (
        f"the log is signed with the key {id!r} (fingerprint {fingerprint}), which this process lacks: add it to "
        "TIDECAST_SIGNING_KEYS and start again"
    )


def _mac(key: bytes, text: bytes) -> bytes:
    return hmac.new(key, text, hashlib.sha256).digest()
