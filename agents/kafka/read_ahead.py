"""What lies behind a position and is no record: control markers and aborted records of transactions take offsets.

A stage's position stays behind its last record, so that the distance to the end of the log would say that something
is left to do. How far the consumer has read on without finding a record is told beside the group's offset, in its
metadata."""

from collections.abc import Hashable
from typing import Generic, TypeVar

from confluent_kafka import ConsumerGroupTopicPartitions

from agents.kafka.log_reader import TIMEOUT
from agents.settings import Settings
from sinks.kafka.client import admin
from sinks.kafka.metadata import told_beside, written
from streams.log import TopicPartition

P = TypeVar("P", bound=Hashable)


class Passed(Generic[P]):
    """Follows what a stage was given and what it has done, by partition."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Everything is read anew."""
        self._given: dict[P, int] = {}
        self._done: dict[P, int] = {}
        self._read: dict[P, int] = {}

    def given(self, place: P, offset: int) -> None:
        """All records before this offset are handed to the stage."""
        self._given[place] = offset

    def done(self, place: P, offset: int) -> None:
        """The stage's stored position, which its group is told."""
        self._done[place] = offset

    def next(self, place: P) -> int | None:
        """The offset before which all records were handed over, or none lies; None before anything is known."""
        given = self._given.get(place)
        return None if given is None else max(given, self._read.get(place, 0))

    def is_further(self, place: P, offset: int) -> bool:
        """Whether a consumer that has come to this offset, with nothing on its way, passes over more than before."""
        position = self._done.get(place)
        return position is not None and position == self._given.get(place) and offset > self.behind(place, position)

    def read(self, place: P, offset: int) -> bool:
        """The consumer has come to this offset and nothing is on its way; see `is_further`."""
        further = self.is_further(place, offset)
        if further:
            self._read[place] = offset
        return further

    def position(self, place: P) -> int:
        """The stage's position, as it was told."""
        return self._done[place]

    def behind(self, place: P, position: int) -> int:
        """The offset before which no record lies behind this position."""
        if self._done.get(place) != position or self._given.get(place) != position:
            return position
        return max(position, self._read.get(place, 0))


def metadata(position: int, passed: int) -> str:
    """What a group is told beside a position."""
    return written(str(passed)) if passed > position else ""


class GroupsPassed:
    """Asks groups how far no record lies behind their offsets. Keeps its connection."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._admin = admin(settings.confluent())

    def of(self, group: str) -> dict[tuple[TopicPartition, int], int]:
        """(partition, offset told) → the offset before which no record lies behind it. `group` without the prefix.
        Unavailable."""
        name = self._settings.topic(group)
        asked = ConsumerGroupTopicPartitions(name)
        (future,) = self._admin.raw.list_consumer_group_offsets([asked], request_timeout=TIMEOUT).values()
        found = self._admin.ask(f"read the offsets of the group {name}", future.result).topic_partitions
        prefix = self._settings.topic_prefix
        return {
            (TopicPartition(told.topic.removeprefix(prefix), told.partition), told.offset): int(beside)
            for told in found
            if (beside := told_beside(told)).isdecimal()
        }
