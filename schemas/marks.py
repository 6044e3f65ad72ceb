"""Reading what Tidecast writes exactly once: outputs may come twice after a crash, and marks tell which did."""

import json
from collections.abc import Mapping
from typing import Any, cast

from schemas.records import CoordinateRecord

Mark = tuple[int, int, int]
"""(epoch, offset, ordinal) of a coordinate; marks compare in log order."""


def mark_of(source: CoordinateRecord) -> Mark:
    """What a reader keeps of a coordinate, the greatest per (topic, partition) of it."""
    return (source["epoch"], source["offset"], source["ordinal"])


def coordinate_of(record: Mapping[str, Any]) -> CoordinateRecord | None:
    """The coordinate of a record that a stage put out (in `source`); None for events, outcomes and controls."""
    source = record.get("source")
    return cast(CoordinateRecord, source) if isinstance(source, dict) else None


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
                if marks.is_new(prediction):
                    bill(database, prediction)
                    database.run("REPLACE INTO marks VALUES (?, ?)", place, marks.to_json())
            consumer.commit(message)

    The marks are read inside the transaction, so that an owner of yesterday that wakes up cannot write old ones over
    new ones. `schemas/marks.js` is the same for JavaScript, with the same text as its JSON.
    """

    def __init__(self) -> None:
        self._marks: dict[tuple[str, int], Mark] = {}

    def is_new(self, record: Mapping[str, Any]) -> bool:
        """Whether this record's coordinate (its field `source`) is above the mark of its source; moves the mark.

        Raises ValueError for a record that has no coordinate: a tick, a switch, an event.
        """
        source = record.get("source")
        if not isinstance(source, Mapping) or not _is_row(row := _row(source)):
            raise ValueError("The record has no coordinate in `source`; ask only for records that Tidecast put out.")
        topic, partition, *mark = row
        place, now = (topic, partition), (mark[0], mark[1], mark[2])
        if place in self._marks and now <= self._marks[place]:
            return False
        self._marks[place] = now
        return True

    def to_json(self) -> str:
        """The marks as text: a list of [topic, partition, epoch, offset, ordinal]."""
        return json.dumps([[*place, *mark] for place, mark in self._marks.items()], separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> "Marks":
        """The marks that `to_json` wrote, here or in JavaScript; "[]" is a beginning. Raises ValueError for others."""
        rows = json.loads(text)
        if not isinstance(rows, list) or not all(isinstance(row, list) and _is_row(row) for row in rows):
            raise ValueError("These are no marks: they are a list of [topic, partition, epoch, offset, ordinal].")
        marks = cls()
        marks._marks = {(row[0], row[1]): (row[2], row[3], row[4]) for row in rows}
        return marks


def _row(source: Mapping[str, Any]) -> list[Any]:
    return [source.get(name) for name in ("topic", "partition", "epoch", "offset", "ordinal")]


def _is_row(row: list[Any]) -> bool:
    return len(row) == 5 and type(row[0]) is str and all(type(number) is int for number in row[1:])
