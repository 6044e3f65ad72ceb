"""Reads ranges of partitions, for tools, without a group and without commits."""

import time
from collections.abc import Iterator, Mapping
from typing import Any

from confluent_kafka import Consumer, KafkaError, Message
from confluent_kafka import TopicPartition as KafkaPartition

from agents.settings import Settings
from sinks.kafka.client import KafkaClient, consumer
from streams.errors import LogGap, SettingError
from streams.log import Record, TopicPartition

TIMEOUT = 10.0
"""Seconds without an answer after which the broker counts as away."""
CHUNK = 5000
CHUNK_WAIT = 0.05
GROUP = "tidecast-tools"
"""The group that such a consumer names, after the system's prefix. A user needs the right to read it."""


def tool_consumer(settings: Settings, options: Mapping[str, Any]) -> KafkaClient[Consumer]:
    """Open a consumer. `options`: further settings of librdkafka."""
    return consumer(settings.confluent(), settings.topic(GROUP), options)


class LogReader:
    """Reads partitions. A context manager. Raises Unavailable when Kafka does not answer."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._kafka = tool_consumer(
            settings,
            {
                "enable.partition.eof": True,
                "auto.offset.reset": "error",
                "isolation.level": "read_committed",
                "fetch.wait.max.ms": 10,  # a fetch at the end of the log delays the requests after it
            },
        )

    def __enter__(self) -> "LogReader":
        return self

    def __exit__(self, *_: object) -> None:
        self._kafka.raw.close()

    def partitions(self, topic: str) -> list[TopicPartition]:
        """Return all partitions of a topic, by its logical name. Raises SettingError when there is no such topic."""
        name = self._settings.topic(topic)
        ask = self._kafka.raw.list_topics
        found = self._kafka.ask(f"ask about the topic {name}", ask, name, timeout=TIMEOUT).topics[name]
        if found.error is not None:
            raise SettingError(f"there is no topic {name}: run `tidecast deploy`, or check TIDECAST_TOPIC_PREFIX")
        return [TopicPartition(topic, partition) for partition in sorted(found.partitions)]

    def bounds(self, place: TopicPartition) -> tuple[int, int]:
        """Return (first offset kept, next offset to be written)."""
        ask = self._kafka.raw.get_watermark_offsets
        low, high = self._kafka.ask(f"ask where {place.topic} ends", ask, self._partition(place), timeout=TIMEOUT)
        return (low, high)

    def read(self, place: TopicPartition, start: int = 0, end: int | None = None) -> Iterator[Record]:
        """Yield records with start <= offset < end (default: the present end). Raises LogGap when the log begins
        later."""
        low, high = self.bounds(place)
        end = high if end is None else end
        if start < low:
            raise LogGap(
                f"{place.topic}[{place.partition}] begins at offset {low}, {start} was requested: it has expired"
            )
        if start >= end:
            return
        self._kafka.raw.assign([self._partition(place, start)])
        for message in self._messages(f"read {place.topic}"):
            if message.offset() >= end:
                return
            yield as_record(message)
            if message.offset() == end - 1:
                return

    def _messages(self, doing: str) -> Iterator[Message]:
        """Yield the records of the assigned partition, up to its present end."""
        heard = time.monotonic()
        while True:
            # `consume` waits for all the records it was asked for: avoid a time-out at the end of a partition
            messages = self._kafka.ask(doing, self._kafka.raw.consume, CHUNK, CHUNK_WAIT)
            for message in messages:
                if message.error() is None:
                    yield message
                elif message.error().code() == KafkaError._PARTITION_EOF:
                    return
                else:
                    raise self._kafka.error(doing, message.error())
            if messages:
                heard = time.monotonic()
            elif time.monotonic() - heard > TIMEOUT:
                raise self._kafka.error(doing, None)

    def _partition(self, place: TopicPartition, offset: int = 0) -> KafkaPartition:
        return KafkaPartition(self._settings.topic(place.topic), place.partition, offset)


def as_record(message: Message) -> Record:
    """Turn a confluent-kafka message into a log record."""
    return Record(message.offset(), message.timestamp()[1], message.key(), message.value())
