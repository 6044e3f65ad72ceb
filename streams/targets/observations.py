"""A customer's open observations: questions that wait for their outcome."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgpack

from streams.errors import DeadReason, Undecodable

CORRECTION = "correction"
"""How an example was settled whose question was settled otherwise before."""
MOST_OPEN = 1000
"""The maximum number of open observations per customer and target. A question beyond them is answered and not
observed."""
MOST_EARLY = 1000
"""The maximum number of outcomes of a customer that wait for their questions."""
MOST_SETTLED = 1000
"""The maximum number of settled questions of a customer that can still be corrected. The oldest are dropped first."""

Answer = tuple[str, str, float, bool]
"""(arm, version, value, fallback)."""
Answers = list[Answer]
"""One answer per arm, in the target's order."""


def pack_vector(vector: Sequence[float]) -> bytes:
    """Pack doubles, little-endian. A vector is stored far more often than it is read."""
    return struct.pack(f"<{len(vector)}d", *vector)


def unpack_vector(data: bytes) -> list[float]:
    """Unpack what `pack_vector` wrote, bit for bit."""
    return list(struct.unpack(f"<{len(data) // 8}d", data))


@dataclass(slots=True)
class Observation:
    """A question whose outcome is not known yet. Times are event times in ms."""

    target: str
    prediction_id: str
    asked_at: int
    end: int | None
    """The last moment that counts for the outcome; None waits for an outcome record for ever."""
    vector: bytes
    answers: Answers
    amount: float = 0
    """The sum so far over (asked_at, end], unscaled, so that integer amounts stay exact within 64 bits."""
    happened_at: int | None = None
    """Time of the outcome event, where the label is settled only at the horizon."""

    def is_named(self, target: str, prediction_id: str | None) -> bool:
        """Return whether an outcome with this prediction id concerns this question; None concerns any."""
        return self.target == target and prediction_id in (None, self.prediction_id)

    def spans(self, moment: int) -> bool:
        """Return whether a moment counts for the outcome: asked_at < moment <= end."""
        return self.asked_at < moment and (self.end is None or moment <= self.end)


@dataclass(slots=True)
class Settled:
    """A settled question that can be corrected until event time `until`, ms."""

    observation: Observation
    label: float
    until: int


@dataclass(slots=True)
class EarlyOutcome:
    """An outcome record that arrived before its question."""

    target: str
    prediction_id: str | None
    occurred_at: int
    value: float


@dataclass(slots=True)
class Observations:
    """The open observations of a customer in the order of asking, early outcomes, and correctable questions."""

    waiting: list[Observation] = field(default_factory=list)
    early: list[EarlyOutcome] = field(default_factory=list)
    settled: list[Settled] = field(default_factory=list)

    def has_room(self, target: str) -> bool:
        """Return whether one more question of that target can be observed."""
        waiting = self.waiting
        return len(waiting) < MOST_OPEN or sum(o.target == target for o in waiting) < MOST_OPEN

    def check_room_for_early(self) -> None:
        """Raise Undecodable when no more outcomes can wait for their questions."""
        if len(self.early) >= MOST_EARLY:
            raise Undecodable(
                DeadReason.TOO_LARGE,
                f"{MOST_EARLY} outcomes of this customer wait for questions that were never asked: name the right "
                "target and prediction_id, and times after the question's",
            )

    def settled_as(self, target: str, prediction_id: str | None, moment: int) -> Settled | None:
        """Return the settled question that an outcome at that moment corrects; None when there is none."""
        if prediction_id is None:
            return None
        fitting = (s for s in self.settled if s.observation.is_named(target, prediction_id))
        return next((s for s in fitting if s.observation.spans(moment)), None)

    def keep_settled(self, settled: Settled) -> None:
        """Make a settled question correctable from now on."""
        self.settled.append(settled)
        del self.settled[:-MOST_SETTLED]

    def pack(self) -> bytes:
        """Return the stored form. It is empty when nothing is waiting, and the store then deletes the key."""
        if not self.waiting and not self.early and not self.settled:
            return b""
        parts: list[Any] = [
            [_fields(o) for o in self.waiting],
            [(e.target, e.prediction_id, e.occurred_at, e.value) for e in self.early],
        ]
        if self.settled:
            parts.append([(_fields(s.observation), s.label, s.until) for s in self.settled])
        return msgpack.packb(parts)  # type: ignore[no-any-return]

    @classmethod
    def unpack(cls, data: bytes | None) -> "Observations":
        """Parse what `pack` wrote; b"" means that nothing waits."""
        if not data:
            return cls()
        waiting, early, *more = msgpack.unpackb(data)
        settled = [Settled(_observation(*o), label, until) for o, label, until in (more[0] if more else ())]
        return cls([_observation(*o) for o in waiting], [EarlyOutcome(*e) for e in early], settled)

    def next_close(self, lateness: int) -> int | None:
        """Return the earliest tick time at which an observation, early outcome or correctable question closes without a
        record; None when none will.

        It closes when the watermark has passed its end, so that an event at the very end of a horizon still counts."""
        if not self.waiting and not self.early and not self.settled:
            return None
        ends = [o.end for o in self.waiting if o.end is not None]
        ends += [e.occurred_at for e in self.early]
        ends += [s.until for s in self.settled]
        return min(ends) + lateness + 1 if ends else None


def _fields(o: Observation) -> tuple[Any, ...]:
    return (o.target, o.prediction_id, o.asked_at, o.end, o.vector, o.answers, o.amount, o.happened_at)


def _observation(
    target: str,
    prediction_id: str,
    asked_at: int,
    end: int | None,
    vector: bytes,
    answers: Any,
    amount: float,
    happened_at: int | None,
) -> Observation:
    told = [tuple(answer) for answer in answers]
    return Observation(target, prediction_id, asked_at, end, vector, told, amount, happened_at)
