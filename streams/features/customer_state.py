"""The unpacked state of a customer between events. streams/features/plan fills and packs it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgpack

from streams.features.filled import Gaps
from streams.kernels import kernel

BEFORE_ALL = -(1 << 62)
IDENTITY = 6
DIGEST = 8
KEPT = 256


@dataclass(slots=True)
class Digests:
    """Digests of the last 256 events and outcomes, 8 bytes each, oldest first, in one bytes object.

    A digest is 6 bytes of the identity (kind and id) and 2 of the content (streams/scoring/intake). It needs no
    packing, and searching 2 KB costs less than a hash.

    former: digests of the id alone, 8 bytes each, older than all of `data`. Earlier versions wrote them."""

    data: bytes = b""
    former: bytes = b""

    def same_content(self, digest: bytes) -> bool | None:
        """Return None when the identity is not among the last 256, else whether the content is the same."""
        return _SAME_CONTENT(self.data, digest)

    def formerly_seen(self, digest: bytes) -> bool:
        """Return whether the digest of an id alone is among the former ones."""
        return any(self.former.startswith(digest, at) for at in range(0, len(self.former), DIGEST))

    def remember(self, digest: bytes) -> None:
        """Append a digest; drop the oldest when there are more than 256."""
        self.data = self.data[-DIGEST * (KEPT - 1) :] + digest
        if self.former:
            self.former = self.former[max(0, len(self.former) + len(self.data) - DIGEST * KEPT) :]

    def told(self) -> list[bytes]:
        """Return the stored form."""
        return [self.data, self.former] if self.former else [self.data]

    @classmethod
    def parse(cls, told: list[bytes] | bytes) -> "Digests":
        """Parse what `told` returns. Earlier versions stored one bytes object of former digests."""
        return cls(*told) if isinstance(told, list) else cls(former=told)

    def __len__(self) -> int:
        return (len(self.data) + len(self.former)) // DIGEST


@dataclass(slots=True)
class CustomerState:
    """`series` and `registers` are laid out by streams/features/layout.

    clock: latest event time seen, ms; BEFORE_ALL before the first event. due: next schedule time, ms, per target
    index. series: per series its tiles [slot, column, ...] in ascending slots, only those with events.
    registers: per register None, or [time of the latest event, its value]. gaps: where tiles are missing, because the
    features changed (streams.features.filled); None for a whole history."""

    series: list[list[list[Any]]]
    registers: list[list[Any] | None]
    clock: int = BEFORE_ALL
    digests: Digests = field(default_factory=Digests)
    due: dict[int, int] = field(default_factory=dict)
    gaps: Gaps | None = None


def agree(stored: bytes | None, made: bytes | None) -> bool:
    """Return whether a stored state is the one that was made again from the log, as StoredForm packs them.

    Where an earlier version wrote the digests, only those that were added since are compared."""
    if stored == made or stored is None or made is None:
        return stored == made
    parts, others = (msgpack.unpackb(data, strict_map_key=False) for data in (stored, made))
    ours, theirs = Digests.parse(parts[3]), Digests.parse(others[3])
    if isinstance(parts[3], list) and not ours.former:
        return False
    rest, other_rest = (msgpack.packb([*part[:3], *part[4:]]) for part in (parts, others))
    return rest == other_rest and theirs.data.endswith(ours.data)


def _same_content(data: bytes, digest: bytes) -> bool | None:
    """Digests.same_content. The identity is searched at multiples of 8 only."""
    identity = digest[:IDENTITY]
    at = data.find(identity)
    while at % DIGEST:
        if at < 0:
            return None
        at = data.find(identity, at + 1)
    return data.startswith(digest, at)


_KERNEL = kernel("tiles")
_SAME_CONTENT: Callable[[bytes, bytes], bool | None] = _KERNEL.same_content if _KERNEL else _same_content
