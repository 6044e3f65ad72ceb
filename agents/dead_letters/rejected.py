"""Reads rejected records, dead letters and late events, each once, by a selection."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

from agents.kafka.log_reader import LogReader
from schemas.marks import Marks
from schemas.records import DEAD_LETTER, LATE_EVENT, DeadLetterRecord, LateEventRecord
from schemas.topics import DEAD_LETTERS, LATE_EVENTS
from streams.avro.codec import Codec
from streams.identity import Coordinate
from streams.log import TopicPartition

NAMES = {DEAD_LETTERS: DEAD_LETTER, LATE_EVENTS: LATE_EVENT}
RecordT = TypeVar("RecordT", bound=DeadLetterRecord | LateEventRecord)
ADVANCE_EVERY = 1000
Advance = Callable[[int], None]
"""Called with the number of records read since the last call."""


class Rejected(NamedTuple, Generic[RecordT]):
    """A dead letter or late event. `id`: the record's coordinate; `at`: when it was rejected, ms."""

    id: str
    at: int
    record: RecordT

    @property
    def value(self) -> bytes | None:
        """The original bytes."""
        return self.record["value"]

    @property
    def place(self) -> str:
        """Where the original record lies."""
        source = self.record["source"]
        return f"{source['topic']}[{source['partition']}] offset {source['offset']}"


RejectedLetter = Rejected[DeadLetterRecord]
RejectedEvent = Rejected[LateEventRecord]


@dataclass(frozen=True, slots=True)
class RejectFilter:
    """Which rejected records to read. Empty and None select all.

    kinds: reasons, or event types without their namespace. since, until: when they were rejected, ms; `until` is
    exclusive. customer: the key as `key_text` shows it."""

    kinds: tuple[str, ...] = ()
    since: int | None = None
    until: int | None = None
    partition: int | None = None
    customer: str | None = None
    ids: frozenset[str] = frozenset()

    def matches(self, rejected: Rejected[Any], key: bytes | None) -> bool:
        """Return whether the selection includes this record. `key`: the original key, as in the topic."""
        if self.ids and rejected.id not in self.ids:
            return False
        if self.since is not None and rejected.at < self.since:
            return False
        if self.until is not None and rejected.at >= self.until:
            return False
        if self.kinds and kind_of(rejected) not in self.kinds:
            return False
        return self.customer is None or key_text(key) == self.customer

    def reads(self, partition: int) -> bool:
        """Return whether a partition can hold selected records. A rejected record lies in the partition of its
        original."""
        wanted = {int(id.split(".")[1]) for id in self.ids}
        return self.partition in (None, partition) and (not wanted or partition in wanted)


def key_text(key: bytes | None) -> str:
    """Return a key as text where it is UTF-8, else in hex."""
    if key is None:
        return "-"
    try:
        return key.decode()
    except UnicodeDecodeError:
        return f"0x{key.hex()}"


def kind_of(rejected: Rejected[Any]) -> str:
    """Return the reason of a dead letter, or the event type of a late event without its namespace."""
    kind: str = rejected.record.get("reason") or rejected.record["event_type"].rsplit(".", 1)[-1]
    return kind


class RejectedReader(Generic[RecordT]):
    """Reads one of the two topics up to its end at the time of construction. Raises Unavailable when Kafka is away."""

    def __init__(self, reader: LogReader, codec: Codec, topic: str) -> None:
        self._reader = reader
        self._codec = codec
        self._topic = topic
        self._ends = {place: reader.bounds(place)[1] for place in reader.partitions(topic)}

    def records(self, selection: RejectFilter) -> int:
        """Return the number of records to read through, at most."""
        return sum(max(0, end - self._low(place)) for place, end in self._places(selection))

    def read(self, selection: RejectFilter, advance: Advance = lambda count: None) -> Iterator[Rejected[RecordT]]:
        """Yield the selected records, partition by partition in log order, each once even if a crash left it twice."""
        for place, end in self._places(selection):
            marks = Marks()
            for count, raw in enumerate(self._reader.read(place, self._low(place), end), 1):
                if count % ADVANCE_EVERY == 0:
                    advance(ADVANCE_EVERY)
                name, record = self._codec.decode(raw.value)
                if name != NAMES[self._topic] or not marks.advance(record):
                    continue
                rejected = Rejected(Coordinate(**record["source"]).id, raw.timestamp, record)
                if selection.matches(rejected, raw.key):
                    yield rejected

    def _places(self, selection: RejectFilter) -> list[tuple[TopicPartition, int]]:
        return [(place, end) for place, end in self._ends.items() if selection.reads(place.partition)]

    def _low(self, place: TopicPartition) -> int:
        return self._reader.bounds(place)[0]
