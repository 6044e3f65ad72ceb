"""The unpacked state of a customer between events. streams/features/plan fills and packs it."""

from dataclasses import dataclass, field
from typing import Any

from streams.features.filled import Gaps

BEFORE_ALL = -(1 << 62)
DIGEST = 8
KEPT = 256


@dataclass(slots=True)
class Digests:
    """Digests of the last 256 event and outcome ids, 8 bytes each, oldest first, in one bytes object.

    It needs no packing, and searching 2 KB costs less than one hash."""

    data: bytes = b""

    def seen(self, digest: bytes) -> bool:
        """Return whether this id is among the last 256."""
        at = self.data.find(digest)
        while at % DIGEST:
            if at < 0:
                return False
            at = self.data.find(digest, at + 1)
        return at >= 0

    def remember(self, digest: bytes) -> None:
        """Append an id; drop the oldest when there are more than 256."""
        self.data = self.data[-DIGEST * (KEPT - 1) :] + digest

    def __len__(self) -> int:
        return len(self.data) // DIGEST


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
