"""Reads the predictions of a run from Kafka as they come. They are decoded only afterwards."""

from confluent_kafka import Message

from load.baselines.run_settings import RunSettings
from load.reading import TopicReader


class BaselineReader(TopicReader):
    """Keeps the bytes and timestamps of all predictions."""

    def __init__(self, settings: RunSettings) -> None:
        super().__init__(settings.kafka, f"{settings.prefix}reader", settings.predictions_topic, settings.partitions)
        self.values: list[bytes] = []
        self.first_ms = self.last_ms = 0
        """Kafka's timestamps of the earliest and the latest prediction."""

    def take(self, message: Message, now: float) -> None:
        """See TopicReader."""
        stamp = message.timestamp()[1]
        self.first_ms = min(self.first_ms or stamp, stamp)
        self.last_ms = max(self.last_ms, stamp)
        self.values.append(message.value() or b"")
