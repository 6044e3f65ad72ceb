"""What cannot or must not change state is set aside, whole: dead letters and late events."""

from schemas.topics import DEAD_LETTERS, LATE_EVENTS
from streams.codec import Codec
from streams.errors import DeadReason
from streams.intake import Taken
from streams.log import LogRecord, Output
from streams.state.working import PartitionWork


class Aside:
    """Writes DeadLetter and LateEvent records into a partition's work."""

    def __init__(self, codec: Codec) -> None:
        self._codec = codec

    def dead(self, work: PartitionWork, raw: LogRecord, reason: DeadReason, detail: str) -> None:
        """The record as it was, with the reason."""
        self._dead(work, raw.key, raw.value, raw.timestamp, reason, detail)

    def failed_timer(self, work: PartitionWork, customer_id: str, tick: int) -> None:
        """A customer whose timer raises an error: told, without the tick's bytes since the tick itself is fine."""
        detail = f"what was due for customer {customer_id!r} raised an error and is skipped: see the worker's log"
        self._dead(work, customer_id.encode(), None, tick, DeadReason.FAILED, detail)

    def _dead(
        self,
        work: PartitionWork,
        key: bytes | None,
        value: bytes | None,
        timestamp: int,
        reason: DeadReason,
        detail: str,
    ) -> None:
        letter = {
            "reason": reason.value,
            "detail": detail,
            "key": key,
            "value": value,
            "timestamp": timestamp,
            "source": work.next_source(),
        }
        encoded = self._codec.encode("tidecast.DeadLetter", letter)
        work.outputs.append(Output(DEAD_LETTERS, work.partition, key, encoded))

    def late(self, work: PartitionWork, raw: LogRecord, taken: Taken, watermark: int) -> None:
        """The event as it was, with the watermark it missed (ms)."""
        event = {
            "event_type": taken.name,
            "event_id": taken.record["event_id"],
            "customer_id": taken.record["customer_id"],
            "occurred_at": taken.record["occurred_at"],
            "watermark": watermark,
            "value": raw.value,
            "source": work.next_source(),
        }
        encoded = self._codec.encode("tidecast.LateEvent", event)
        work.outputs.append(Output(LATE_EVENTS, work.partition, raw.key, encoded))
