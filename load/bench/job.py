"""The reference job's events as bytes, made before the clock starts."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from load.reference.events import DAY_MS, DAYS, EVENTS, NAME, START_MS, TYPES, activities
from load.ticks import NAME as TICK
from load.ticks import signed_tick
from load.wire import Wire

HOUR_MS = 3_600_000
PACED_MS = START_MS + DAYS * DAY_MS
"""Event time at which paced streams begin."""
EVERY_MS = DAYS * DAY_MS // EVENTS
"""Event time from one event of the job to the next."""
TICKS = 4
"""Of a partition each second, as a use case has by default on a wall clock."""
TARGETS = 2
"""Predictions per event."""


@dataclass(frozen=True, slots=True)
class EncodedRecord:
    """An event ready to be sent; or, where `partition` is not None, a tick for that partition."""

    value: bytes
    key: bytes | None
    partition: int | None = None


class BenchJob:
    """Makes what is published. Everything is the same for the same seed."""

    def __init__(self, wire: Wire, signing_key: str, partitions: int) -> None:
        self._wire = wire
        self._key = signing_key
        self.partitions = partitions

    def backlog(self, count: int) -> list[EncodedRecord]:
        """So many events over 30 days with a tick after each day."""
        made: list[EncodedRecord] = []
        for tick, records in _between_ticks(count, DAY_MS):
            made += map(self._event, records)
            made += self.tick(tick)
        return made

    def hours(self, count: int) -> Iterator[tuple[int, list[EncodedRecord]]]:
        """The events of a backlog, those of an hour at a time, and the time of the tick that is due behind them."""
        for tick, records in _between_ticks(count, HOUR_MS):
            yield tick, list(map(self._event, records))

    def outcome(self, target: str, customer: bytes, prediction: str, told_at: int, value: float) -> EncodedRecord:
        """The truth about one prediction."""
        record = {
            "outcome_id": f"of-{prediction}",
            "customer_id": customer.decode(),
            "target": target,
            "prediction_id": prediction,
            "occurred_at": told_at,
            "value": value,
            "source": "",
        }
        return EncodedRecord(self._wire.encode("tidecast.Outcome", record), customer)

    def spread(self, events: int, customers: int) -> Iterator[EncodedRecord]:
        """Events over so many customers in turn, a second of event time apart from first to last customer."""
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
        """Events at an even rate, as close to each other in event time as the job's, and TICKS each second in every
        partition, in one after the other, as the wall clock's come to up to four. `begun`: events of such streams
        before these."""
        start = PACED_MS + begun * EVERY_MS
        count = int(rate * seconds)
        ticks = 0
        for number, record in enumerate(activities(count, count * EVERY_MS / DAY_MS, seed=2 + begun, start_ms=start)):
            while ticks * rate <= number * TICKS * self.partitions:
                at = ticks * rate / (TICKS * self.partitions)
                yield self._tick(start + int(at * EVERY_MS), ticks % self.partitions)
                ticks += 1
            yield self._event(record)

    def tick(self, time_ms: int) -> Iterator[EncodedRecord]:
        """Let time pass in all partitions."""
        for partition in range(self.partitions):
            yield self._tick(time_ms, partition)

    def _tick(self, time_ms: int, partition: int) -> EncodedRecord:
        value = self._wire.encode(TICK, signed_tick(time_ms, "load.bench", self._key, partition))
        return EncodedRecord(value, None, partition)

    def _event(self, record: dict[str, object]) -> EncodedRecord:
        return EncodedRecord(self._wire.encode(NAME, record), str(record["customer_id"]).encode())


def _between_ticks(count: int, every_ms: int) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    """A backlog's events up to each tick, and its time; ticks are even in event time."""
    tick, records = START_MS + every_ms, list[dict[str, Any]]()
    for record in activities(count, DAYS, seed=1):
        while record["occurred_at"] >= tick:
            yield tick, records
            tick, records = tick + every_ms, []
        records.append(record)
    yield tick, records
