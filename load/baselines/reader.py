"""Reads a run's predictions from Kafka while they come, and looks into them only afterwards."""

import threading

from confluent_kafka import Consumer, TopicPartition

from load.baselines.order import Order


class Reader(threading.Thread):
    """Keeps the bytes and the timestamps."""

    def __init__(self, order: Order) -> None:
        super().__init__(daemon=True)
        self._consumer = Consumer(
            {"bootstrap.servers": order.kafka, "group.id": f"{order.prefix}reader", "enable.auto.commit": False}
        )
        places = [TopicPartition(order.predictions_topic, number, 0) for number in range(order.partitions)]
        self._consumer.assign(places)
        self._ended = False
        self.values: list[bytes] = []
        self.first_ms = self.last_ms = 0
        """Kafka's timestamps of the earliest and the latest prediction."""

    def run(self) -> None:
        """Until `end`."""
        while not self._ended:
            first = self._consumer.poll(0.05)
            if first is None:
                continue
            for message in (first, *self._consumer.consume(10_000, 0)):
                if message.error() is None:
                    stamp = message.timestamp()[1]
                    self.first_ms = min(self.first_ms or stamp, stamp)
                    self.last_ms = max(self.last_ms, stamp)
                    self.values.append(message.value())
        self._consumer.close()

    def end(self) -> None:
        """Stop reading."""
        self._ended = True
        self.join()
