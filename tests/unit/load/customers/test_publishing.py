from typing import Any

import pytest

from load.customers import publishing
from load.customers.publishing import PacedPublisher
from load.customers.schedule import EventSchedule
from load.customers.stream import Chunk


class Kafka:
    """A producer that accepts everything. Its queue is full once."""

    def __init__(self, _: Any) -> None:
        self.sent: list[tuple[Any, ...]] = []
        self._full = True

    def produce(self, topic: str, value: bytes, key: Any, partition: int, on_delivery: Any, timestamp: int = 0) -> None:
        if self._full and len(self.sent) == 2:
            self._full = False
            raise BufferError
        self.sent.append((topic, value, key, partition, timestamp))
        if value == b"lost":
            on_delivery("an error", None)

    def poll(self, _: float) -> None:
        pass

    def flush(self, _: float) -> int:
        return 0


def test_everything_is_sent_in_order_with_its_due_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publishing, "Producer", Kafka)
    publisher = PacedPublisher("", "events", lambda moment: [(3, b"tick %d" % moment)])
    chunks = [
        Chunk(1, [b"a", b"b"], [b"1", b"2"], malformed=1, repeated=0, late=0),
        Chunk(2, [b"a", b"b"], [b"3", b"lost"], malformed=0, repeated=1, late=2),
    ]
    counts = publisher.run(chunks, EventSchedule(100.0, 0.04, ((0.0, 1.0),)))
    kafka: Any = publisher._producer
    assert [sent[1] for sent in kafka.sent] == [b"1", b"2", b"tick 1", b"3", b"lost", b"tick 2"]
    assert kafka.sent[2][2:4] == (None, 3)
    stamps = [sent[4] for sent in kafka.sent if sent[2]]
    assert stamps[-1] - stamps[0] == pytest.approx(30, abs=1)
    assert (counts.records, counts.malformed, counts.repeated, counts.late, counts.lost) == (4, 1, 1, 2, 1)
    assert counts.seconds > 0.03 and counts.max_delay_s >= 0
