"""Positions, coordinates and ids: identity derives from place. Marks: schemas.marks."""

from typing import NamedTuple

from schemas.records import CoordinateRecord


class Position(NamedTuple):
    """A place in a partition. Positions compare in log order.

    offset: the next record.
    step: 0 when nothing of that record is done. Above 0, the record is partly done, and its next output has this
    ordinal."""

    offset: int
    step: int = 0

    def __str__(self) -> str:
        return f"{self.offset}.{self.step}"

    @classmethod
    def parse(cls, text: str) -> "Position":
        """Parse the text that `str` wrote. Raises ValueError for any other."""
        offset, step = text.split(".")
        return cls(int(offset), int(step))


class Coordinate(NamedTuple):
    """The place of the record that caused an output, and the output's ordinal among those of that record."""

    topic: str
    epoch: int
    partition: int
    offset: int
    ordinal: int

    @property
    def id(self) -> str:
        """`epoch.partition.offset.ordinal`: unique among the outputs caused by one topic."""
        return f"{self.epoch}.{self.partition}.{self.offset}.{self.ordinal}"

    def as_record(self) -> CoordinateRecord:
        """Return the Avro record `tidecast.Coordinate`."""
        return {
            "topic": self.topic,
            "epoch": self.epoch,
            "partition": self.partition,
            "offset": self.offset,
            "ordinal": self.ordinal,
        }
