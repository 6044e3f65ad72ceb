from collections.abc import Callable, Iterator, Mapping
from typing import Any

from load.bench.job import EncodedRecord
from load.bench.parts.kill_midway import MarkedReader, publish


class Jobs:
    """A job of two hours with 15 events each."""

    def hours(self, count: int) -> Iterator[tuple[int, list[EncodedRecord]]]:
        for hour in (1, 2):
            yield hour, [EncodedRecord(b"event", b"c%d" % n) for n in range(count // 2)]

    def tick(self, time_ms: int) -> Iterator[EncodedRecord]:
        yield EncodedRecord(b"tick %d" % time_ms, None, 0)

    def outcome(self, target: str, customer: bytes, prediction: str, time_ms: int, value: float) -> EncodedRecord:
        return EncodedRecord(f"{target} {prediction} {time_ms}".encode(), customer)


class Message:
    def __init__(self, offset: int) -> None:
        self._offset = offset

    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return self._offset


class Kafka:
    """A producer with one partition."""

    def __init__(self) -> None:
        self.log: list[bytes] = []
        self._reports: list[Callable[[], None]] = []

    def produce(self, topic: str, value: bytes, key: Any = None, partition: int = 0, on_delivery: Any = None) -> None:
        if on_delivery is not None:
            message = Message(len(self.log))
            self._reports.append(lambda: on_delivery(None, message))
        self.log.append(value)

    def flush(self) -> None:
        for report in self._reports:
            report()
        self._reports.clear()


def test_every_tenth_event_gets_its_outcomes_before_the_tick() -> None:
    kafka = Kafka()
    publish(Jobs(), 30, 7, kafka, "customer-events")  # type: ignore[arg-type]
    assert kafka.log[15:18] == [b"top_up 7.0.9.0 1", b"silence 7.0.9.1 1", b"tick 1"]
    # the 20th event is the fifth of the second hour, the 30th is its last
    assert kafka.log[33:] == [
        b"top_up 7.0.22.0 2",
        b"silence 7.0.22.1 2",
        b"top_up 7.0.32.0 2",
        b"silence 7.0.32.1 2",
        b"tick 2",
    ]


def prediction(offset: int, ordinal: int = 0) -> Mapping[str, Any]:
    source = {"topic": "customer-events", "epoch": 1, "partition": 0, "offset": offset, "ordinal": ordinal}
    return {"prediction_id": f"1.0.{offset}.{ordinal}", "target": "top_up", "source": source}


def test_what_is_sent_again_is_dropped_and_counted() -> None:
    reader = MarkedReader()
    for at, offset in enumerate((1, 2, 3, 2, 3, 4)):
        reader.take(0, at, dict(prediction(offset)))
    assert (reader.dropped, reader.twice) == (2, 0)
    assert reader.taken == [("top_up", 0), ("top_up", 1), ("top_up", 2), ("top_up", 5)]


def test_what_comes_in_another_partition_has_been_taken_twice() -> None:
    reader = MarkedReader()
    reader.take(0, 0, dict(prediction(1)))
    reader.take(1, 0, dict(prediction(1)))
    assert (reader.dropped, reader.twice) == (0, 1)
