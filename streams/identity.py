"""Identity derives from place: positions, coordinates, ids and marks."""

from typing import NamedTuple

from schemas.records import CoordinateRecord


class Position(NamedTuple):
    """A place in one partition: `offset` is the next record; `step` > 0 says that this record is half
    done and its next output has the ordinal `step`. Positions compare in log order."""

    offset: int
    step: int = 0

    def __str__(self) -> str:
        return f"{self.offset}.{self.step}"

    @classmethod
    def parse(cls, text: str) -> "Position":
        """The position that `str` wrote; ValueError when it is none."""
        offset, step = text.split(".")
        return cls(int(offset), int(step))


class Coordinate(NamedTuple):
    """The record that caused an output, and the output's ordinal among that record's outputs."""

    topic: str
    epoch: int
    partition: int
    offset: int
    ordinal: int

    @property
    def id(self) -> str:
        """`epoch.partition.offset.ordinal`: unique among the outputs caused by one topic."""
        return f"{self.epoch}.{self.partition}.{self.offset}.{self.ordinal}"

    @property
    def mark(self) -> tuple[int, int, int]:
        """What a reader keeps, the greatest per (topic, partition): not above it means seen already."""
        return (self.epoch, self.offset, self.ordinal)

    def as_record(self) -> CoordinateRecord:
        """The Avro record `tidecast.Coordinate`."""
        return {
            "topic": self.topic,
            "epoch": self.epoch,
            "partition": self.partition,
            "offset": self.offset,
            "ordinal": self.ordinal,
        }
