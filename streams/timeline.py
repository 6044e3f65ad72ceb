"""The state of a partition itself: its clock, the versions that serve it, its counters."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import msgpack


@dataclass(slots=True)
class Serving:
    """The version that an arm answers with in a partition, and the previous one to fall back to."""

    version: str
    command: int
    offset: int
    snapshot: str
    digest: bytes
    switched_at: int
    """The partition's last tick when the switch was read, in ms; -1 before the first tick."""
    previous: tuple[str, str, bytes] | None = None
    """(version, snapshot, digest) of the version served before."""


COUNTERS = (
    *("accepted", "duplicate", "late", "dead", "controls", "predictions", "examples", "unmatched"),
    *("unobserved", "unasked", "corrections", "conflicts"),
)
"""Names of the counters.

unobserved: questions that were not observed because the customer had too many open observations.
unasked: scheduled questions that were skipped because time leapt over more of them than a schedule asks at once.
corrections: examples that correct an earlier one.
conflicts: dead letters whose id was there before with another content."""


def _zeros() -> dict[str, int]:
    return dict.fromkeys(COUNTERS, 0)


@dataclass(slots=True)
class PartitionHeader:
    """What scoring knows of a partition besides its customers, committed with the position.

    records read = accepted + duplicate + late + dead + controls."""

    last_tick: int | None = None
    told_tick: int | None = None
    """The last tick that was forwarded downstream as progress."""
    deployment_id: str = ""
    deployment_number: int = 0
    counters: dict[str, int] = field(default_factory=_zeros)
    opened: dict[str, int] = field(default_factory=dict)
    settled: dict[str, int] = field(default_factory=dict)
    last_example: dict[str, str] = field(default_factory=dict)
    serving: dict[str, Serving] = field(default_factory=dict)
    asked: dict[str, int] = field(default_factory=dict)
    """Target → questions."""
    fallbacks: dict[str, int] = field(default_factory=dict)
    """target/arm/cause → answers that the version switched to did not give."""
    retained: bytes = b""
    """What customers' states kept under the first features of this log (streams.features.stored_form)."""

    def count_answers(self, asked: Mapping[str, int], fallbacks: Mapping[tuple[str, str, str], int]) -> None:
        """Add the questions and fallbacks of a slice, by target and by (target, arm, cause)."""
        for target, count in asked.items():
            self.asked[target] = self.asked.get(target, 0) + count
        for at, count in fallbacks.items():
            name = "/".join(at)
            self.fallbacks[name] = self.fallbacks.get(name, 0) + count

    def watermark(self, lateness: int) -> int | None:
        """Return the event time (ms) below which an event is late; None before the first tick."""
        return None if self.last_tick is None else self.last_tick - lateness

    def pack(self) -> bytes:
        """Return the stored form."""
        told: dict[str, Any] = {name: getattr(self, name) for name in _HEADER}
        told["serving"] = {
            arm: {name: getattr(serving, name) for name in _SERVING} for arm, serving in self.serving.items()
        }
        return msgpack.packb(told)  # type: ignore[no-any-return]

    @classmethod
    def unpack(cls, data: bytes) -> "PartitionHeader":
        """Parse what `pack` wrote, also in a later version of the code."""
        told = msgpack.unpackb(data)
        told["counters"] = _zeros() | told["counters"]
        told["serving"] = {
            arm: Serving(**{**entry, "previous": tuple(entry["previous"]) if entry["previous"] else None})
            for arm, entry in told["serving"].items()
        }
        return cls(**{name: value for name, value in told.items() if name in _HEADER})


_HEADER = [one.name for one in fields(PartitionHeader)]
_SERVING = [one.name for one in fields(Serving)]
