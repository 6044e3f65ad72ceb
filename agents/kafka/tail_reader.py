"""Follows all partitions of topics as they grow, for tools, without a group and without commits."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from confluent_kafka import KafkaError, Message
from confluent_kafka import TopicPartition as KafkaPartition

from agents.kafka.log_reader import tool_consumer
from agents.settings import Settings
from schemas.catalog import Decoded
from schemas.topics import TOPICS
from streams.avro.codec import Codec
from streams.errors import SettingError, TidecastError, Undecodable

TIMEOUT = 10.0
"""Seconds without an answer after which the broker counts as away."""


class TailRecord(NamedTuple):
    """A record with its place. `name` is None where the bytes cannot be decoded; `why` is the reason."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    name: str | None
    record: Decoded
    why: str = ""


class TailReader:
    """Reads several topics from chosen offsets. A context manager. Raises Unavailable when Kafka is away.

    Call `start` once, then `next` repeatedly."""

    def __init__(self, settings: Settings, codec: Codec) -> None:
        self._settings = settings
        self._codec = codec
        self._names: dict[str, str] = {}
        self._open: set[tuple[str, int]] = set()
        self._kafka = tool_consumer(
            settings,
            {
                "enable.partition.eof": True,
                "auto.offset.reset": "earliest",
                "isolation.level": "read_committed",
                "fetch.wait.max.ms": 100,
            },
        )

    def __enter__(self) -> "TailReader":
        return self

    def __exit__(self, *_: object) -> None:
        self._kafka.raw.close()

    def bounds(self, topic: str) -> dict[int, tuple[int, int]]:
        """Return (first offset kept, next offset) per partition of a topic, by its logical name."""
        real = self._settings.topic(topic)
        ask = self._kafka.raw.list_topics
        found = self._kafka.ask(f"ask about the topic {real}", ask, real, timeout=TIMEOUT).topics[real]
        if found.error is not None:
            known = ", ".join(TOPICS)
            raise SettingError(f"There is no topic {real}; deploy first, or name one of {known}.")
        places = {number: KafkaPartition(real, number) for number in sorted(found.partitions)}
        ends = self._kafka.raw.get_watermark_offsets
        return {
            number: self._kafka.ask(f"ask where {real} ends", ends, place, timeout=TIMEOUT)
            for number, place in places.items()
        }

    def start(self, topics: Sequence[str], first: Callable[[int, int], int]) -> None:
        """Start every partition of the topics at the offset that `first(first kept, next)` returns."""
        places = []
        for topic in topics:
            real = self._settings.topic(topic)
            self._names[real] = topic
            for partition, (low, high) in self.bounds(topic).items():
                places.append(KafkaPartition(real, partition, max(low, min(high, first(low, high)))))
                self._open.add((real, partition))
        self._kafka.raw.assign(places)

    @property
    def finished(self) -> bool:
        """Whether the end of every partition has been reached since the start."""
        return not self._open

    def next(self, seconds: float, most: int = 500) -> Iterator[TailRecord]:
        """Return the decoded records that arrive within that time, up to a number."""
        for message in self._kafka.ask("read the topics", self._kafka.raw.consume, most, seconds):
            error = message.error()
            if error is None:
                yield self._decoded(message)
            elif error.code() == KafkaError._PARTITION_EOF:
                self._open.discard((message.topic(), message.partition()))
            else:
                raise self._kafka.error("read the topics", error)

    def _decoded(self, message: Message) -> TailRecord:
        topic = self._names[message.topic()]
        place = (topic, message.partition(), message.offset(), message.timestamp()[1], message.key())
        try:
            return TailRecord(*place, *self._codec.decode(message.value()))
        except Undecodable as error:
            return TailRecord(*place, None, {}, str(error))


def logical(settings: Settings, topic: str) -> str:
    """Return the logical name of a topic, given with or without the system's prefix. Raises TidecastError if it is
    unknown."""
    name = topic.removeprefix(settings.topic_prefix)
    if name not in TOPICS:
        raise TidecastError(f"There is no topic {topic}; name one of {', '.join(TOPICS)}.")
    return name
