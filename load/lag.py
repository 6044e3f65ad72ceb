"""How far scoring is behind, by what its consumer group has committed: seen from outside."""

import time

from confluent_kafka import Consumer, TopicPartition

from load.wire import prefixed

GROUP = "tidecast-scoring"
ASK_EVERY = 0.25
"""Seconds for which an answer holds."""


class ScoringLag:
    """Records of a topic that the group has not committed yet."""

    def __init__(self, kafka: str, topic: str, partitions: int, most: int) -> None:
        """`most`: records from which the lag is too large."""
        group = prefixed(GROUP)
        # Asking for a group's offsets is not joining it.
        self._consumer = Consumer({"bootstrap.servers": kafka, "group.id": group, "enable.auto.commit": False})
        self._places = [TopicPartition(topic, partition) for partition in range(partitions)]
        self._most = most
        self._asked = 0.0
        self._answer = False

    def is_too_large(self) -> bool:
        """Whether to wait; asks Kafka now and then."""
        if time.monotonic() - self._asked >= ASK_EVERY:
            self._answer = self._records() > self._most
            self._asked = time.monotonic()
        return self._answer

    def _records(self) -> int:
        committed = self._consumer.committed(self._places, timeout=10)
        return sum(
            self._consumer.get_watermark_offsets(place, timeout=10)[1] - max(place.offset, 0) for place in committed
        )
