"""Read-ahead: how far a stage has worked after its stored position.

A position says too little in two cases. Control markers and aborted records of transactions take offsets, and a
position stays after the last record. A learner stores its position with a snapshot, and learns on in memory. The
distance to the end of the log would count both as lag. The read-ahead offset is committed in the metadata of the
group's offset."""

from collections.abc import Hashable
from typing import Generic, NamedTuple, TypeVar

from confluent_kafka import ConsumerGroupTopicPartitions
from confluent_kafka import TopicPartition as KafkaPartition

from agents.kafka.log_reader import TIMEOUT
from agents.settings import Settings
from sinks.kafka.client import admin
from sinks.kafka.metadata import metadata_of, metadata_text
from streams.log import TopicPartition

P = TypeVar("P", bound=Hashable)


class ReadAhead(Generic[P]):
    """Tracks, by partition, the records that a stage was given and has processed, and its stored position."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget everything: the partitions are read again."""
        self._given: dict[P, int] = {}
        self._worked: dict[P, int] = {}
        self._done: dict[P, int] = {}
        self._read: dict[P, int] = {}

    def start(self, place: P, offset: int) -> None:
        """Note that the stage reads from this offset on."""
        self._given[place] = self._worked[place] = offset

    def given(self, place: P, offset: int) -> None:
        """Note that all records before this offset were given to the stage."""
        self._given[place] = offset

    def worked(self, place: P, offset: int) -> None:
        """Note that the stage has processed all records before this offset."""
        self._worked[place] = offset

    def done(self, place: P, offset: int) -> None:
        """Note the stage's stored position, which is reported to the group: all records before it are processed."""
        self._done[place] = offset
        self._worked[place] = max(offset, self._worked.get(place, 0))

    def next(self, place: P) -> int | None:
        """Return the offset before which every record was given to the stage; None if unknown."""
        given = self._given.get(place)
        return None if given is None else max(given, self._read.get(place, 0))

    def is_further(self, place: P, offset: int) -> bool:
        """Return whether a consumer at this offset, with no record in flight, has read further than before."""
        worked = self._worked.get(place)
        return (
            worked is not None and worked == self._given.get(place) and offset > max(worked, self._read.get(place, 0))
        )

    def read(self, place: P, offset: int) -> bool:
        """Note that the consumer has reached this offset with no record in flight; see `is_further`."""
        further = self.is_further(place, offset)
        if further:
            self._read[place] = offset
        return further

    def position(self, place: P, before: int) -> int:
        """Return the stage's stored position; `before`, that of an earlier process, while it has stored none."""
        return self._done.setdefault(place, before)

    def read_ahead(self, place: P, position: int) -> int:
        """Return the read-ahead offset: every record between this position and it is processed."""
        if self._done.get(place) != position:
            return position
        worked = max(position, self._worked.get(place, 0))
        return max(worked, self._read.get(place, 0)) if worked == self._given.get(place) else worked


def metadata(position: int, passed: int) -> str:
    """Return the metadata to commit with a position."""
    return metadata_of(str(passed)) if passed > position else ""


class GroupOffset(NamedTuple):
    """What a group has reported for a partition: the stored position, and the read-ahead offset (at least as far)."""

    position: int
    read_ahead: int


class GroupReadAhead:
    """Reads the offsets of groups. Keeps its connection."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._admin = admin(settings.confluent())

    def of(self, group: str) -> dict[TopicPartition, GroupOffset]:
        """Return the offsets of a group, named without the prefix. Raises Unavailable."""
        name = self._settings.topic(group)
        asked = ConsumerGroupTopicPartitions(name)
        (future,) = self._admin.raw.list_consumer_group_offsets([asked], request_timeout=TIMEOUT).values()
        found = self._admin.ask(f"read the offsets of the group {name}", future.result).topic_partitions
        prefix = self._settings.topic_prefix
        return {
            TopicPartition(told.topic.removeprefix(prefix), told.partition): GroupOffset(told.offset, _ahead(told))
            for told in found
            if told.offset >= 0
        }


def _ahead(told: KafkaPartition) -> int:
    beside, position = metadata_text(told), int(told.offset)
    return max(position, int(beside)) if beside.isdecimal() else position
