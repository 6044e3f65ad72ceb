"""Read rejected records: each selected record once."""

from collections.abc import Iterator
from typing import Any

import pytest

from agents.dead_letters.rejected import RejectedReader, RejectFilter
from schemas.catalog import load_schemas
from schemas.topics import CUSTOMER_EVENTS, DEAD_LETTERS
from streams.avro.codec import Codec, MemoryRegistry
from streams.log import Record, TopicPartition

CODEC = Codec(MemoryRegistry(), load_schemas())


class Logs:
    """A LogReader over two partitions of dead letters. The first two offsets of each have expired."""

    def __init__(self, *letters: tuple[int, dict[str, Any]]) -> None:
        self.records: dict[int, list[Record]] = {0: [], 1: []}
        for partition, letter in letters:
            log = self.records[partition]
            value = CODEC.encode("tidecast.DeadLetter", letter)
            log.append(Record(2 + len(log), 1000 * (1 + len(log)), letter["key"], value))

    def partitions(self, topic: str) -> list[TopicPartition]:
        return [TopicPartition(topic, partition) for partition in self.records]

    def bounds(self, place: TopicPartition) -> tuple[int, int]:
        return 2, 2 + len(self.records[place.partition])

    def read(self, place: TopicPartition, start: int, end: int) -> Iterator[Record]:
        return (record for record in self.records[place.partition] if start <= record.offset < end)


def letter(partition: int, offset: int, reason: str = "undecodable", key: bytes | None = b"c") -> Any:
    source = {"topic": CUSTOMER_EVENTS, "epoch": 7, "partition": partition, "offset": offset, "ordinal": 0}
    value = {"reason": reason, "detail": "", "key": key, "value": b"x", "timestamp": 0, "source": source}
    return partition, value


LETTERS = (
    letter(0, 5),
    letter(0, 6, "wrong_key", b"d"),
    letter(0, 5),  # repeated after a crash
    letter(0, 6, "wrong_key", b"d"),
    letter(0, 9, key=None),
    letter(1, 5, "wrong_key"),
)


@pytest.mark.parametrize(
    ("selection", "ids"),
    [
        (RejectFilter(), ["7.0.5.0", "7.0.6.0", "7.0.9.0", "7.1.5.0"]),
        (RejectFilter(("wrong_key",)), ["7.0.6.0", "7.1.5.0"]),
        (RejectFilter(("wrong_key", "failed"), partition=1), ["7.1.5.0"]),
        (RejectFilter(customer="c"), ["7.0.5.0", "7.1.5.0"]),
        (RejectFilter(customer="-"), ["7.0.9.0"]),
        (RejectFilter(since=2000), ["7.0.6.0", "7.0.9.0"]),
        (RejectFilter(until=2000), ["7.0.5.0", "7.1.5.0"]),
        (RejectFilter(ids=frozenset(("7.0.9.0", "7.1.6.0"))), ["7.0.9.0"]),
        (RejectFilter(partition=1, ids=frozenset(("7.0.9.0",))), []),
    ],
)
def test_chosen_ones_come_once(selection: RejectFilter, ids: list[str]) -> None:
    reader: Any = Logs(*LETTERS)
    assert [kept.id for kept in RejectedReader(reader, CODEC, DEAD_LETTERS).read(selection)] == ids


def test_only_partitions_that_can_hold_it_are_read() -> None:
    reader: Any = Logs(*LETTERS)
    kept = RejectedReader(reader, CODEC, DEAD_LETTERS)
    assert kept.records(RejectFilter()) == 6
    assert kept.records(RejectFilter(ids=frozenset(("7.1.5.0",)))) == 1
    assert list(kept.read(RejectFilter(ids=frozenset(("7.9.5.0",))))) == []


def test_what_comes_later_is_left_for_the_next_time() -> None:
    reader: Any = Logs(*LETTERS)
    kept = RejectedReader(reader, CODEC, DEAD_LETTERS)
    reader.records[1].append(reader.records[1][0]._replace(offset=3))
    assert kept.records(RejectFilter(partition=1)) == 1
