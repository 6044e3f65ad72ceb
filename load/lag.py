"""The lag of the scoring stage, seen from outside: records that its consumer group has not committed."""

import time

from confluent_kafka import Consumer, TopicPartition

from load.wire import prefixed

GROUP = "tidecast-scoring"
REFRESH_S = 0.25


class ScoringLag:
    """Whether scoring lags too far behind a topic. An answer holds for REFRESH_S seconds."""

    def __init__(self, kafka: str, topic: str, partitions: int, max_records: int) -> None:
        """`max_records`: the largest lag that is still acceptable."""
        # A consumer that only reads a group's offsets does not join the group. Records that an open transaction holds
        # back are lag as well, so it must see the true end of the log.
        self._consumer = Consumer(
            {
                "bootstrap.servers": kafka,
                "group.id": prefixed(GROUP),
                "enable.auto.commit": False,
                "isolation.level": "read_uncommitted",
            }
        )
        self._partitions = [TopicPartition(topic, partition) for partition in range(partitions)]
        self._max_records = max_records
        self._asked = 0.0
        self._too_large = False

    def is_too_large(self) -> bool:
        """Return whether the lag exceeds `max_records`."""
        if time.monotonic() - self._asked >= REFRESH_S:
            self._too_large = self._records() > self._max_records
            self._asked = time.monotonic()
        return self._too_large

    def _records(self) -> int:
        committed = self._consumer.committed(self._partitions, timeout=10)
        return sum(
            self._consumer.get_watermark_offsets(each, timeout=10)[1] - max(each.offset, 0) for each in committed
        )
