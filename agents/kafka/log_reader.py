"""Reading a partition from here to there, for tools: no group, nothing committed."""

import time
from collections.abc import Iterator
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message
from confluent_kafka import TopicPartition as KafkaPartition

from agents.settings import Settings
from streams.errors import LogGap, SettingError, Unavailable
from streams.log import Record, TopicPartition

TIMEOUT = 10.0
"""Seconds without an answer after which the broker counts as away."""
CHUNK = 5000
CHUNK_WAIT = 0.05


class LogReader:
    """Reads whole partitions. A context manager; raises Unavailable when Kafka does not answer."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._consumer = Consumer(
            settings.confluent()
            | {
                "group.id": "tidecast-reader",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "auto.offset.reset": "error",
                "isolation.level": "read_committed",
                "fetch.wait.max.ms": 10,  # whatever is asked waits behind a fetch at the end of the log
                "log_level": 0,
            }
        )

    def __enter__(self) -> "LogReader":
        return self

    def __exit__(self, *_: object) -> None:
        self._consumer.close()

    def partitions(self, topic: str) -> list[TopicPartition]:
        """All partitions of a topic, by its logical name; SettingError when there is no such topic."""
        name = self._settings.topic(topic)
        found = self._ask(self._consumer.list_topics, name, timeout=TIMEOUT).topics[name]
        if found.error is not None:
            raise SettingError(f"there is no topic {name}: run `tidecast deploy`, or check TIDECAST_TOPIC_PREFIX")
        return [TopicPartition(topic, partition) for partition in sorted(found.partitions)]

    def bounds(self, place: TopicPartition) -> tuple[int, int]:
        """(first offset kept, next offset to be written)."""
        low, high = self._ask(self._consumer.get_watermark_offsets, self._kafka(place), timeout=TIMEOUT)
        return (low, high)

    def read(self, place: TopicPartition, start: int = 0, end: int | None = None) -> Iterator[Record]:
        """The records with start <= offset < end (default: those there now); LogGap when the log begins later."""
        low, high = self.bounds(place)
        end = high if end is None else end
        if start < low:
            raise LogGap(f"{place.topic}[{place.partition}] begins at offset {low}, {start} is asked: it has expired")
        if start >= end:
            return
        self._consumer.assign([self._kafka(place, start)])
        for message in self._messages():
            if message.offset() >= end:
                return
            yield as_record(message)
            if message.offset() == end - 1:
                return

    def _messages(self) -> Iterator[Message]:
        """What the assigned partition holds, up to its present end."""
        heard = time.monotonic()
        while True:
            # consume waits until it has all it was asked for: the end of a partition must not cost a time-out
            messages = self._ask(self._consumer.consume, CHUNK, CHUNK_WAIT)
            for message in messages:
                if message.error() is None:
                    yield message
                elif message.error().code() == KafkaError._PARTITION_EOF:
                    return
                else:
                    raise Unavailable(f"Kafka does not answer ({message.error().str()}): try again")
            if messages:
                heard = time.monotonic()
            elif time.monotonic() - heard > TIMEOUT:
                raise Unavailable(f"Kafka at {self._settings.kafka} sends nothing for {TIMEOUT:.0f} s: is it running?")

    def _kafka(self, place: TopicPartition, offset: int = 0) -> KafkaPartition:
        return KafkaPartition(self._settings.topic(place.topic), place.partition, offset)

    def _ask(self, call: Any, *args: Any, **keywords: Any) -> Any:
        try:
            answer = call(*args, **keywords)
        except KafkaException as error:
            raise Unavailable(
                f"Kafka at {self._settings.kafka} does not answer ({error.args[0].str()}): is it running?"
            ) from None
        return answer


def as_record(message: Message) -> Record:
    """A confluent-kafka message as a log record."""
    return Record(message.offset(), message.timestamp()[1], message.key(), message.value())
