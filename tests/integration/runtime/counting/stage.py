"""A small stage that counts records. It must not lose a record or count one twice."""

import os
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from streams.identity import Position
from streams.log import Batch, LogRecord, Output, Stage, TopicPartition
from streams.state.store import StageStore
from tests.integration.runtime.counting.gate import GATE

SOURCE = "customer-events"
SINK = "predictions"
STAGE = "counting"


def chained(checksum: int, value: bytes) -> int:
    """Return the checksum extended by one record. It depends on every record and on their order."""
    return zlib.crc32(value, checksum)


def unpacked(blob: bytes) -> tuple[int, int]:
    """Return the number of records and their checksum."""
    count, checksum = blob.split(b" ")
    return int(count), int(checksum)


@dataclass
class Piece:
    """Some records of one partition."""

    stage: "Counting"
    place: TopicPartition
    records: Sequence[LogRecord]
    expected: Position | None
    blob: bytes

    @property
    def outputs(self) -> Sequence[Output]:
        partition = self.place.partition
        source = {"topic": SOURCE, "epoch": 0, "partition": partition, "ordinal": 0}
        return [
            Output(SINK, partition, None, b"%d" % record.offset, source | {"offset": record.offset})
            for record in self.records
        ]

    @property
    def positions(self) -> Mapping[TopicPartition, int]:
        return {self.place: self.records[-1].offset + 1}

    rejects: ClassVar[None] = None
    answered: ClassVar[None] = None

    def commit(self) -> None:
        position = Position(self.records[-1].offset + 1)
        self.stage.store.commit(STAGE, *self.place, self.expected, position, self.blob)
        self.stage.known[self.place] = (position, self.blob)


class Counting(Stage):
    """A stage that counts each partition's records and emits their offsets. It sleeps `pause` seconds per slice."""

    topics = (SOURCE,)

    def __init__(self, store: StageStore, pause: float = 0.0, most: int = 500, only: int | None = None) -> None:
        self.store = store
        self.known: dict[TopicPartition, tuple[Position | None, bytes]] = {}
        self._pause = pause
        self._most = most
        self._only = only

    def wants(self, partition: TopicPartition) -> bool:
        return self._only is None or partition.partition == self._only

    def assign(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        assert all(map(self.wants, partitions))
        self.known = {place: self.store.read(STAGE, *place) or (None, b"0 0") for place in partitions}
        return {place: position.offset if position else 0 for place, (position, _) in self.known.items()}

    def intact(self) -> bool:
        return all(self.store.position(STAGE, *place) == position for place, (position, _) in self.known.items())

    def process(self, batch: Batch) -> Iterator[Piece]:
        GATE.begin(sum(map(len, batch.values())))
        for place, records in batch.items():
            for start in range(0, len(records), self._most):
                piece = records[start : start + self._most]
                GATE.wait(self._counted() + len(piece))
                if self._pause:
                    time.sleep(self._pause)
                yield self._piece(place, piece)

    def _counted(self) -> int:
        """Return the number of records counted so far in all partitions."""
        return sum(unpacked(blob)[0] for _, blob in self.known.values())

    def _piece(self, place: TopicPartition, records: Sequence[LogRecord]) -> Piece:
        assert self.wants(place)
        expected, blob = self.known[place]
        # the checksum would show a jump or a step back too, but this assertion names it
        assert records[0].offset == (expected.offset if expected else 0), (place, records[0].offset, expected)
        count, checksum = unpacked(blob)
        for record in records:
            if record.value == b"poison" and "TEST_POISON" in os.environ:
                raise ValueError(f"poison at {record.offset}")
            checksum = chained(checksum, record.value or b"")
        return Piece(self, place, records, expected, b"%d %d" % (count + len(records), checksum))
