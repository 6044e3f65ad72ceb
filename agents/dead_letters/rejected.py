"""Reading what was set aside: dead letters and late events, each once, by what one asks for."""

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
Rejected = TypeVar("Rejected", bound=DeadLetterRecord | LateEventRecord)
TELL_EVERY = 1000
Advance = Callable[[int], None]
"""Told how many more records were read."""


class Kept(NamedTuple, Generic[Rejected]):
    """A dead letter or late event; `id` is the record's coordinate, `at` when it was set aside (ms)."""

    id: str
    at: int
    record: Rejected

    @property
    def value(self) -> bytes | None:
        """The original bytes."""
        return self.record["value"]

    @property
    def place(self) -> str:
        """Where the original lies."""
        source = self.record["source"]
        return f"{source['topic']}[{source['partition']}] offset {source['offset']}"


KeptLetter = Kept[DeadLetterRecord]
KeptEvent = Kept[LateEventRecord]


@dataclass(frozen=True, slots=True)
class Chosen:
    """What is asked for. kinds: reasons or event types, by their last name; since, until: set aside then (ms,
    exclusive of `until`); customer: as `key_text` shows a key; empty and None take all."""

    kinds: tuple[str, ...] = ()
    since: int | None = None
    until: int | None = None
    partition: int | None = None
    customer: str | None = None
    ids: frozenset[str] = frozenset()

    def takes(self, kept: Kept[Any], key: bytes | None) -> bool:
        """Whether this one is asked for; `key` as in the topic, the original one."""
        if self.ids and kept.id not in self.ids:
            return False
        if (self.since is not None and kept.at < self.since) or (self.until is not None and kept.at >= self.until):
            return False
        if self.kinds and kind_of(kept) not in self.kinds:
            return False
        return self.customer is None or key_text(key) == self.customer

    def reads(self, partition: int) -> bool:
        """Whether a partition can hold what is asked for: what is set aside lies in its original's partition."""
        wanted = {int(id.split(".")[1]) for id in self.ids}
        return self.partition in (None, partition) and (not wanted or partition in wanted)


def key_text(key: bytes | None) -> str:
    """A key as text where it is one, else in hex."""
    if key is None:
        return "-"
    try:
        return key.decode()
    except UnicodeDecodeError:
        return f"0x{key.hex()}"


def kind_of(kept: Kept[Any]) -> str:
    """The reason of a dead letter, the event type of a late event without its namespace."""
    kind: str = kept.record.get("reason") or kept.record["event_type"].rsplit(".", 1)[-1]
    return kind


class KeptReader(Generic[Rejected]):
    """Reads one of the two topics up to where it ended when this was made. Unavailable when Kafka is away."""

    def __init__(self, reader: LogReader, codec: Codec, topic: str) -> None:
        self._reader = reader
        self._codec = codec
        self._topic = topic
        self._ends = {place: reader.bounds(place)[1] for place in reader.partitions(topic)}

    def records(self, chosen: Chosen) -> int:
        """How many records there are to read through, at most."""
        return sum(max(0, end - self._low(place)) for place, end in self._places(chosen))

    def read(self, chosen: Chosen, advance: Advance = lambda count: None) -> Iterator[Kept[Rejected]]:
        """Those asked for, partition by partition in log order, each once although a crash may have left it twice."""
        for place, end in self._places(chosen):
            marks = Marks()
            for count, raw in enumerate(self._reader.read(place, self._low(place), end), 1):
                if count % TELL_EVERY == 0:
                    advance(TELL_EVERY)
                name, record = self._codec.decode(raw.value)
                if name != NAMES[self._topic] or not marks.is_new(record):
                    continue
                kept = Kept(Coordinate(**record["source"]).id, raw.timestamp, record)
                if chosen.takes(kept, raw.key):
                    yield kept

    def _places(self, chosen: Chosen) -> list[tuple[TopicPartition, int]]:
        return [(place, end) for place, end in self._ends.items() if chosen.reads(place.partition)]

    def _low(self, place: TopicPartition) -> int:
        return self._reader.bounds(place)[0]
