"""The state of a partition itself: its clock, the versions that serve it, its counters."""

from collections.abc import Mapping, Sequence
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
unasked: scheduled questions that were skipped: time leapt over more of them than a schedule asks at once, or over empty
time, or was paused.
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

    is_paused: bool = False
    """Whether ticks are ignored."""
    pause_is_automatic: bool = False
    pause_number: int = 0
    """Number of the last record tidecast.Pause that was obeyed."""
    pause_events: int = 0
    """`events` when it was paused."""
    pauses: list[list[int | None]] = field(default_factory=list)
    """[begin, end] of each pause that an open question may have met, ms; the last one may have no end yet."""
    gap_from: int | None = None
    """Where the empty time begins that the tick in hand passes over; None if it passes over none."""

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

    @property
    def events(self) -> int:
        """Return the number of events and outcomes that were read."""
        return sum(self.counters[name] for name in ("accepted", "duplicate", "late", "dead"))

    @property
    def pause_is_open(self) -> bool:
        """Return whether the last pause has no end yet: it ends at the first tick after time goes on."""
        return bool(self.pauses) and self.pauses[-1][1] is None

    def pack(self) -> bytes:
        """Return the stored form."""
        told: dict[str, Any] = {name: getattr(self, name) for name in _HEADER}
        for name, usual in _USUAL.items():  # left out, as before there were pauses
            if told[name] == usual:
                del told[name]
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
_USUAL: dict[str, Any] = {
    **{"is_paused": False, "pause_is_automatic": False, "pause_number": 0, "pause_events": 0},
    **{"pauses": [], "gap_from": None},
}
"""Values of a partition that was never paused."""
_SERVING = [one.name for one in fields(Serving)]


def paused_time(pauses: Sequence[Sequence[int | None]], begin: int, end: int) -> int:
    """Return for how much of the time from `begin` to `end` time was paused, ms."""
    return sum(max(0, min(end, to) - max(begin, since)) for since, to in pauses if since is not None and to is not None)


def extended(asked_at: int, horizon: int, pauses: Sequence[Sequence[int | None]], until: int | None) -> int:
    """Return the end of a question's horizon, of which paused time is no part. Times in ms.

    pauses: in order. until: up to where a pause without an end counts; None for not at all."""
    end = asked_at + horizon
    for since, to in pauses:
        assert since is not None
        to = until if to is None else to
        if to is not None and since < end:
            end += max(0, to - max(since, asked_at))
    return end
