"""Sends records to a topic, for tools; all are acknowledged at the end."""

from typing import Any

from agents.settings import Settings
from sinks.kafka.client import Reports, producer

TIMEOUT = 60.0
"""Seconds after which the broker counts as away."""


class Sender:
    """An idempotent producer of one topic.

    Each method raises Unavailable or SettingError when Kafka did not accept a record. `advice` is the last sentence of
    the error. Records that were not acknowledged by then may be sent again."""

    def __init__(self, settings: Settings, topic: str, advice: str, largest: int = 1_000_000) -> None:
        """`topic`: its logical name. `largest`: the maximum size of a record, bytes."""
        self._topic = settings.topic(topic)
        self._doing = f"write to {self._topic}"
        self._advice = advice
        self._reports = Reports()
        self._kafka = producer(
            settings.confluent(),
            {
                "enable.idempotence": True,
                "linger.ms": 5,
                "message.max.bytes": largest,
                "delivery.report.only.error": True,
                "on_delivery": self._reports,
            },
        )
        self._produce = self._kafka.raw.produce

    def send(self, value: bytes | None, **place: Any) -> None:
        """Queue a record. `place`: key, partition and headers. Returns before the broker has it."""
        while True:
            try:
                self._kafka.ask(self._doing, self._produce, self._topic, value, **place)
                break
            except BufferError:  # the queue is full: wait for acknowledgements
                self.poll(0.1)
        self.check()

    def poll(self, seconds: float) -> None:
        """Receive acknowledgements for that many seconds."""
        self._kafka.raw.poll(seconds)
        self.check()

    def flush(self) -> None:
        """Wait until the broker has everything."""
        left = self._kafka.raw.flush(TIMEOUT)
        self.check()
        if left:
            raise self._kafka.error(self._doing, None, self._advice)

    def check(self) -> None:
        """Raise the first error that the broker has reported."""
        if self._reports.errors:
            raise self._kafka.error(self._doing, self._reports.first, self._advice)
