"""Read-ahead: how far a consumer has read after a stage's position without finding a record.

Control markers and aborted records of transactions take offsets. A position stays after the last record, so that the
distance to the end of the log would count them as lag. The read-ahead offset is committed in the metadata of the
group's offset."""

from collections.abc import Hashable
from typing import Generic, TypeVar

from confluent_kafka import ConsumerGroupTopicPartitions

from agents.kafka.log_reader import TIMEOUT
from agents.settings import Settings
from sinks.kafka.client import admin
from sinks.kafka.metadata import metadata_of, metadata_text
from streams.log import TopicPartition

P = TypeVar("P", bound=Hashable)


class ReadAhead(Generic[P]):
    """Tracks, by partition, the records that a stage was given and its position."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget everything: the partitions are read again."""
        self._given: dict[P, int] = {}
        self._done: dict[P, int] = {}
        self._read: dict[P, int] = {}

    def given(self, place: P, offset: int) -> None:
        """Note that all records before this offset were given to the stage."""
        self._given[place] = offset

    def done(self, place: P, offset: int) -> None:
        """Note the stage's stored position, which is reported to the group."""
        self._done[place] = offset

    def next(self, place: P) -> int | None:
        """Return the offset before which every record was given to the stage; None if unknown."""
        given = self._given.get(place)
        return None if given is None else max(given, self._read.get(place, 0))

    def is_further(self, place: P, offset: int) -> bool:
        """Return whether a consumer at this offset, with no record in flight, has read further than before."""
        position = self._done.get(place)
        return position is not None and position == self._given.get(place) and offset > self.read_ahead(place, position)

    def read(self, place: P, offset: int) -> bool:
        """Note that the consumer has reached this offset with no record in flight; see `is_further`."""
        further = self.is_further(place, offset)
        if further:
            self._read[place] = offset
        return further

    def position(self, place: P) -> int:
        """Return the stage's position as it was reported."""
        return self._done[place]

    def read_ahead(self, place: P, position: int) -> int:
        """Return the read-ahead offset: no record lies between this position and it."""
        if self._done.get(place) != position or self._given.get(place) != position:
            return position
        return max(position, self._read.get(place, 0))


def metadata(position: int, passed: int) -> str:
    """Return the metadata to commit with a position."""
    return metadata_of(str(passed)) if passed > position else ""


class GroupReadAhead:
    """Reads the read-ahead offsets of groups. Keeps its connection."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._admin = admin(settings.confluent())

    def of(self, group: str) -> dict[tuple[TopicPartition, int], int]:
        """Return (partition, group offset) → read-ahead offset. `group`: without the prefix. Raises Unavailable."""
        name = self._settings.topic(group)
        asked = ConsumerGroupTopicPartitions(name)
        (future,) = self._admin.raw.list_consumer_group_offsets([asked], request_timeout=TIMEOUT).values()
        found = self._admin.ask(f"read the offsets of the group {name}", future.result).topic_partitions
        prefix = self._settings.topic_prefix
        return {
            (TopicPartition(told.topic.removeprefix(prefix), told.partition), told.offset): int(beside)
            for told in found
            if (beside := metadata_text(told)).isdecimal()
        }
