"""Reading predictions as a consumer does, and noting when each could be read."""

import time
from collections.abc import Callable

import click
from confluent_kafka import Message

from load.reading import TopicReader
from load.wire import Wire

PATIENCE_S = 300.0


class Reader(TopicReader):
    """Reads the predictions as they come, and decodes them only when asked: that would take the workers' time."""

    def __init__(self, kafka: str, wire: Wire, topic: str, partitions: int, check: Callable[[], None]) -> None:
        """`check` raises when it is of no use to wait any more."""
        super().__init__(kafka, "bench", topic, partitions)
        self._wire = wire
        self._check = check
        self._ids: dict[bytes, bool] = {}
        self.count = 0
        """Predictions read so far."""
        self.first = self.last = 0.0
        """Broker's time in s of the first and the latest prediction."""
        self.read: list[tuple[float, bytes]] = []
        """While `keep`: of each prediction, when it could be read (perf_counter) and its bytes."""
        self.keep = False

    def take(self, message: Message, now: float) -> None:
        """See TopicReader."""
        value = message.value() or b""
        schema = value[:5]
        if schema not in self._ids:
            self._ids[schema] = self._wire.decode(value)[0] == "tidecast.Prediction"
        if self._ids[schema]:
            self.count += 1
            self.last = message.timestamp()[1] / 1000
            self.first = self.first or self.last
            if self.keep:
                self.read.append((now, value))

    def wait_for(self, count: int, patience_s: float = PATIENCE_S) -> None:
        """Until so many predictions were read."""
        end = time.monotonic() + patience_s
        while self.count < count:
            if time.monotonic() > end:
                raise click.ClickException(f"{self.count} of {count} predictions after {patience_s:.0f} s")
            self._check()
            time.sleep(0.02)

    def sources(self) -> dict[tuple[int, int, int], float]:
        """(partition, offset, ordinal) of each different prediction's cause → when it could be read first."""
        found: dict[tuple[int, int, int], float] = {}
        for now, value in self.read:
            source = self._wire.decode(value)[1]["source"]
            found.setdefault((source["partition"], source["offset"], source["ordinal"]), now)
        return found
