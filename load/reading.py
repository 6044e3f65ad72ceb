"""A consumer thread that reads a topic from its beginning while others write to it."""

import threading
import time
from abc import abstractmethod

from confluent_kafka import Consumer, Message, TopicPartition

BATCH = 5000
"""The maximum number of messages taken from the client at once."""


class TopicReader(threading.Thread):
    """Passes every message to `take`, with the time (perf_counter) when it became readable."""

    def __init__(self, kafka: str, group: str, topic: str, partitions: int) -> None:
        """`group`: the client needs a name; nothing is committed."""
        super().__init__(daemon=True)
        self._consumer = Consumer({"bootstrap.servers": kafka, "group.id": group, "enable.auto.commit": False})
        self._consumer.assign([TopicPartition(topic, partition, 0) for partition in range(partitions)])
        self._ended = False

    def run(self) -> None:
        """Read until `end` is called."""
        while not self._ended:
            # consume() alone would wait until the batch is full or the time-out is over
            first = self._consumer.poll(0.05)
            if first is None:
                continue
            now = time.perf_counter()
            for message in (first, *self._consumer.consume(BATCH, 0)):
                if message.error() is None:
                    self.take(message, now)
        self._consumer.close()

    def end(self) -> None:
        """Stop reading; returns when the thread has ended."""
        self._ended = True
        self.join()

    @abstractmethod
    def take(self, message: Message, now: float) -> None:
        """Process the next message of a partition."""
