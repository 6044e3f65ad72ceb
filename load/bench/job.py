"""The records of the reference job as bytes, encoded before the clock starts."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from load.reference.events import DAY_MS, DAYS, EVENTS, NAME, START_MS, TYPES, activities
from load.ticks import TickKey, signed_tick
from load.wire import Wire
from schemas.records import OUTCOME, TICK, OutcomeRecord

HOUR_MS = 3_600_000
PACED_MS = START_MS + DAYS * DAY_MS
"""Event time at which paced streams begin."""
EVERY_MS = DAYS * DAY_MS // EVENTS
"""Event time between two events of the job."""
TICKS_PER_S = 4
"""Ticks per second in each partition: the default of a use case with a wall clock."""
TARGETS = 2
"""Predictions per event."""


@dataclass(frozen=True, slots=True)
class EncodedRecord:
    """An encoded event; or, if `partition` is set, a tick for that partition."""

    value: bytes
    key: bytes | None
    partition: int | None = None


class BenchJob:
    """Encodes the records to publish. The same arguments give the same records."""

    def __init__(self, wire: Wire, key: TickKey, partitions: int) -> None:
        self._wire = wire
        self._key = key
        self.partitions = partitions

    def backlog(self, count: int) -> list[EncodedRecord]:
        """Return `count` events over 30 days, with a tick after each day."""
        records: list[EncodedRecord] = []
        for tick, events in _between_ticks(count, DAY_MS):
            records += map(self._event, events)
            records += self.tick(tick)
        return records

    def hours(self, count: int) -> Iterator[tuple[int, list[EncodedRecord]]]:
        """Yield the events of a backlog hour by hour, each with the time of the tick that follows."""
        for tick, events in _between_ticks(count, HOUR_MS):
            yield tick, list(map(self._event, events))

    def outcome(self, target: str, customer: bytes, prediction: str, time_ms: int, value: float) -> EncodedRecord:
        """Return the outcome of one prediction, published at event time `time_ms`."""
        record: OutcomeRecord = {
            "outcome_id": f"of-{prediction}",
            "customer_id": customer.decode(),
            "target": target,
            "prediction_id": prediction,
            "occurred_at": time_ms,
            "value": value,
            "source": "",
        }
        return EncodedRecord(self._wire.encode(OUTCOME, record), customer)

    def spread(self, events: int, customers: int) -> Iterator[EncodedRecord]:
        """Yield events of all customers in turn; each round takes one second of event time."""
        for number in range(events):
            yield self._event(
                {
                    "event_id": f"spread-{number:010d}",
                    "customer_id": f"customer-{number % customers:08d}",
                    "type": TYPES[number % len(TYPES)],
                    "occurred_at": START_MS + number * 1000 // max(1, customers),
                    "amount": 1.0 + number % 100,
                    "props": {},
                    "source": "",
                }
            )

    def paced(self, rate: int, seconds: float, begun: int) -> Iterator[EncodedRecord]:
        """Yield events at an even rate, as dense in event time as the job's, with TICKS_PER_S ticks in every partition.

        The partitions get their ticks one after the other, as from a wall clock. `begun`: events of earlier paced
        streams."""
        start = PACED_MS + begun * EVERY_MS
        count = int(rate * seconds)
        ticks = 0
        for number, event in enumerate(activities(count, count * EVERY_MS / DAY_MS, seed=2 + begun, start_ms=start)):
            while ticks * rate <= number * TICKS_PER_S * self.partitions:
                at = ticks * rate / (TICKS_PER_S * self.partitions)
                yield self._tick(start + int(at * EVERY_MS), ticks % self.partitions)
                ticks += 1
            yield self._event(event)

    def tick(self, time_ms: int) -> Iterator[EncodedRecord]:
        """Yield a tick for every partition."""
        for partition in range(self.partitions):
            yield self._tick(time_ms, partition)

    def _tick(self, time_ms: int, partition: int) -> EncodedRecord:
        value = self._wire.encode(TICK, signed_tick(time_ms, "load.bench", self._key, partition))
        return EncodedRecord(value, None, partition)

    def _event(self, event: dict[str, object]) -> EncodedRecord:
        return EncodedRecord(self._wire.encode(NAME, event), str(event["customer_id"]).encode())


def _between_ticks(count: int, every_ms: int) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    """Yield the time of each tick, and the events of a backlog before it. Ticks are `every_ms` of event time apart."""
    tick, events = START_MS + every_ms, list[dict[str, Any]]()
    for event in activities(count, DAYS, seed=1):
        while event["occurred_at"] >= tick:
            yield tick, events
            tick, events = tick + every_ms, []
        events.append(event)
    yield tick, events
