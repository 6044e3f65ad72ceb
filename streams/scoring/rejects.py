"""Writes rejects: records that cannot or must not change state become dead letters or late events, whole."""

from schemas.catalog import Event
from schemas.records import DEAD_LETTER, LATE_EVENT, DeadLetterRecord, LateEventRecord
from schemas.topics import DEAD_LETTERS, LATE_EVENTS
from streams.avro.codec import Codec
from streams.errors import DeadReason
from streams.log import DeadRecord, LateEvents, LogRecord, Rejects
from streams.scoring.intake import Taken, is_too_large
from streams.scoring.working_set.partition import PartitionWork

MAX_DETAIL = 500
"""The maximum number of characters of a reason, which may quote the record."""


class RejectWriter:
    """Emits DeadLetter and LateEvent records into a partition's work, and counts the rejects of a slice."""

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self._slice = Rejects()
        self._before: dict[int, int] = {}

    def begin(self) -> Rejects:
        """Start a slice and return its rejects, which fill up later. `open` and `close` each of its partitions."""
        self._before = {}
        self._slice = Rejects()
        return self._slice

    def open(self, work: PartitionWork) -> None:
        """Start a partition of the slice."""
        self._before[work.partition] = _fine(work)

    def close(self, work: PartitionWork) -> None:
        """End a partition of the slice."""
        self._slice.fine[work.partition] = _fine(work) - self._before[work.partition]

    def dead(self, work: PartitionWork, raw: LogRecord, reason: DeadReason, detail: str) -> None:
        """Emit the record as a dead letter, with the reason."""
        self._dead(work, raw.key, raw.value, raw.timestamp, reason, detail)
        fine_before = _fine(work) - self._before[work.partition]
        self._slice.dead.append(DeadRecord(work.partition, raw.offset, reason, detail, fine_before))

    def failed_timer(self, work: PartitionWork, customer_id: str, tick: int) -> None:
        """Emit a dead letter for a customer whose timer raises an error, without bytes: the tick itself is fine."""
        detail = f"what was due for customer {customer_id!r} raised an error and is skipped: see the worker's log"
        self._dead(work, customer_id.encode(), None, tick, DeadReason.FAILED, detail)
        self._slice.failed_timers += 1

    def _dead(
        self,
        work: PartitionWork,
        key: bytes | None,
        value: bytes | None,
        timestamp: int,
        reason: DeadReason,
        detail: str,
    ) -> None:
        source = work.next_source()
        key = _bounded(key)
        letter: DeadLetterRecord = {
            "reason": reason.value,
            "detail": detail if len(detail) <= MAX_DETAIL else detail[:MAX_DETAIL] + "…",
            "key": key,
            "value": _bounded(value),
            "timestamp": timestamp,
            "source": source,
        }
        encoded = self._codec.encode(DEAD_LETTER, letter)
        work.emit(DEAD_LETTERS, work.partition, key, encoded, source)

    def late(self, work: PartitionWork, raw: LogRecord, taken: Taken, watermark: int) -> None:
        """Emit the event as a late event, with the watermark that it missed (ms)."""
        source = work.next_source()
        assert raw.value is not None  # it was decoded, so it has a value
        event: Event = taken.record
        late: LateEventRecord = {
            "event_type": taken.name,
            "event_id": event["event_id"],
            "customer_id": event["customer_id"],
            "occurred_at": event["occurred_at"],
            "watermark": watermark,
            "value": raw.value,
            "source": source,
        }
        encoded = self._codec.encode(LATE_EVENT, late)
        work.emit(LATE_EVENTS, work.partition, raw.key, encoded, source)
        before = self._slice.late.get(work.partition)
        events, tick = before.events + 1 if before else 1, work.header.last_tick
        assert tick is not None  # there is a watermark
        behind = watermark - event["occurred_at"]
        self._slice.late[work.partition] = LateEvents(events, raw.offset, behind, tick, raw.timestamp)


def _bounded(data: bytes | None) -> bytes | None:
    """Return the bytes; None if too large to be written again. The log still holds them, at the letter's source."""
    return None if is_too_large(data) else data


def _fine(work: PartitionWork) -> int:
    """Return the number of events and outcomes of this partition that were not dead letters, since its log began."""
    counters = work.header.counters
    return counters["accepted"] + counters["duplicate"] + counters["late"]
