"""Reading what Tidecast writes exactly once: outputs may come twice after a crash, and marks tell which did.

Consumers may copy this file: it runs without the rest of Tidecast."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, cast

if TYPE_CHECKING:
    from schemas.records import CoordinateRecord

Mark = tuple[int, int, int]
"""(epoch, offset, ordinal) of a coordinate; marks compare in log order."""
Source = TypeVar("Source")


def mark_of(source: "CoordinateRecord") -> Mark:
    """Return what a reader keeps of a coordinate, the greatest per (topic, partition) of it."""
    return (source["epoch"], source["offset"], source["ordinal"])


def coordinate_of(record: Mapping[str, Any]) -> "CoordinateRecord | None":
    """Return the coordinate of a record that a stage put out (in `source`); None for events, outcomes and controls."""
    source = record.get("source")
    return cast("CoordinateRecord", source) if isinstance(source, dict) else None


def mark_above(last: Mark | None, source: "CoordinateRecord") -> Mark | None:
    """Return the mark of a coordinate if it lies above `last`, the mark before it (None for none); None if it was
    seen."""
    mark = (source["epoch"], source["offset"], source["ordinal"])
    return mark if last is None or mark > last else None


class HighWater(dict[Source, Mark]):
    """The greatest mark seen of each source."""

    __slots__ = ()

    def advance(self, key: Source, source: "CoordinateRecord") -> bool:
        """Return whether the coordinate `source` lies above the mark of `key`, and move the mark."""
        # as mark_above, written out: a call less for each record
        mark, last = (source["epoch"], source["offset"], source["ordinal"]), self.get(key)
        if last is not None and mark <= last:
            return False
        self[key] = mark
        return True

    def pack(self) -> list[list[Any]]:
        """Return [key, epoch, offset, ordinal] of each source, sorted."""
        return sorted([key, *mark] for key, mark in self.items())

    @classmethod
    def unpack(cls, rows: Iterable[Sequence[Any]]) -> "HighWater[Source]":
        """Return the high-water marks that `pack` gave."""
        return cls({key: (epoch, offset, ordinal) for key, epoch, offset, ordinal in rows})


class Marks:
    """The high-water marks of one partition that is read: one per source (topic, partition).

    A consumer keeps one `Marks` per (topic, partition) that it reads, stored in the same transaction as what it makes
    of the records. Kafka's own offsets may then be committed at any time after: what is read again is dropped.

        consumer = Consumer({"bootstrap.servers": …, "group.id": "billing", "enable.auto.commit": False})
        consumer.subscribe(["predictions"])
        while True:
            message = consumer.poll()
            prediction = deserialise(message.value(), SerializationContext(message.topic(), MessageField.VALUE))
            place = f"{message.topic()}/{message.partition()}"
            with database.transaction():
                kept = database.value("SELECT marks FROM marks WHERE place = ? FOR UPDATE", place)
                marks = Marks.from_json(kept or "[]")
                if marks.advance(prediction):
                    bill(database, prediction)
                    database.run("REPLACE INTO marks VALUES (?, ?)", place, marks.to_json())
            consumer.commit(message)

    The marks are read inside the transaction, so that an owner of yesterday that wakes up cannot write old ones over
    new ones. `schemas/marks.js` is the same for JavaScript, with the same text as its JSON.
    """

    def __init__(self) -> None:
        self._marks: HighWater[tuple[str, int]] = HighWater()

    def advance(self, record: Mapping[str, Any]) -> bool:
        """Return whether this record's coordinate (its field `source`) is above the mark of its source, and move the
        mark.

        Raises ValueError for a record that has no coordinate: a tick, a switch, an event."""
        source = record.get("source")
        if not isinstance(source, Mapping) or not _is_row(_row(source)):
            raise ValueError("The record has no coordinate in `source`; ask only for records that Tidecast put out.")
        return self._marks.advance((source["topic"], source["partition"]), cast("CoordinateRecord", source))

    def to_json(self) -> str:
        """Return the marks as text: a list of [topic, partition, epoch, offset, ordinal]."""
        return json.dumps([[*place, *mark] for place, mark in self._marks.items()], separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> "Marks":
        """Return the marks that `to_json` wrote, here or in JavaScript. `[]` holds no marks. Raises ValueError for any
        other text."""
        rows = json.loads(text)
        if not isinstance(rows, list) or not all(isinstance(row, list) and _is_row(row) for row in rows):
            raise ValueError("These are no marks: they are a list of [topic, partition, epoch, offset, ordinal].")
        marks = cls()
        marks._marks = HighWater({(row[0], row[1]): (row[2], row[3], row[4]) for row in rows})
        return marks


def _row(source: Mapping[str, Any]) -> list[Any]:
    return [source.get(name) for name in ("topic", "partition", "epoch", "offset", "ordinal")]


def _is_row(row: list[Any]) -> bool:
    return len(row) == 5 and type(row[0]) is str and all(type(number) is int for number in row[1:])
