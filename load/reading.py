"""Reading a topic as a consumer does, from its beginning, while others write."""

import threading
import time
from abc import abstractmethod

from confluent_kafka import Consumer, Message, TopicPartition

MOST = 5000
"""Messages at a time."""


class TopicReader(threading.Thread):
    """Hands every message to `take`, with the moment (perf_counter) at which it could be read."""

    def __init__(self, kafka: str, group: str, topic: str, partitions: int) -> None:
        """`group` commits nothing."""
        super().__init__(daemon=True)
        self._consumer = Consumer({"bootstrap.servers": kafka, "group.id": group, "enable.auto.commit": False})
        self._consumer.assign([TopicPartition(topic, partition, 0) for partition in range(partitions)])
        self._ended = False

    def run(self) -> None:
        """Until `end`."""
        while not self._ended:
            first = self._consumer.poll(0.05)
            if first is None:
                continue
            now = time.perf_counter()  # to consume several is to wait until they are many, or for the whole time-out
            for message in (first, *self._consumer.consume(MOST, 0)):
                if message.error() is None:
                    self.take(message, now)
        self._consumer.close()

    def end(self) -> None:
        """Stop reading."""
        self._ended = True
        self.join()

    @abstractmethod
    def take(self, message: Message, now: float) -> None:
        """The next message of a partition."""
