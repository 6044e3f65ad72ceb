"""Replay: feeds a stage its own recorded log, and compares two logs as readers with marks see them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from itertools import islice

from schemas.marks import Mark, Marks, coordinate_of, mark_of
from streams.avro.codec import Codec
from streams.log import LogRecord, Output, Stage, TopicPartition


def replay(
    stage: Stage, logs: Mapping[TopicPartition, Iterable[LogRecord]], batch: int = 2000
) -> Iterator[Sequence[Output]]:
    """Run whole logs through a stage, its partitions in turn, `batch` records of each at a time.

    Yields the outputs of each slice after its commit."""
    start = stage.assign(list(logs))
    sources = {tp: iter(r for r in records if r.offset >= start[tp]) for tp, records in logs.items()}
    while sources:
        fetched = {tp: list(islice(records, batch)) for tp, records in sources.items()}
        sources = {tp: records for tp, records in sources.items() if fetched[tp]}
        for slice_ in stage.process({tp: records for tp, records in fetched.items() if records}):
            outputs = list(slice_.outputs)
            slice_.commit()
            yield outputs


class Fingerprints:
    """The records that a reader with marks sees: per (topic, partition, source partition), the coordinate and digest
    of every value, in order."""

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self._marks: dict[tuple[str, int], Marks] = {}
        self.seen: dict[tuple[str, int, str, int], list[tuple[Mark, bytes]]] = {}
        self.repeated = 0

    def add(self, topic: str, partition: int, value: bytes | None) -> None:
        """Take a record of a topic, as read or as a stage produced it. Records without a source are skipped."""
        _, record = self._codec.decode(value)
        source = coordinate_of(record)
        if source is None:
            return
        if not self._marks.setdefault((topic, partition), Marks()).advance(record):
            self.repeated += 1
            return
        place = (topic, partition, source["topic"], source["partition"])
        digest = blake2b(value or b"", digest_size=16).digest()
        self.seen.setdefault(place, []).append((mark_of(source), digest))

    def __len__(self) -> int:
        return sum(map(len, self.seen.values()))

    def difference(self, other: "Fingerprints") -> str | None:
        """Return the first difference between two readings, in words; None when they are equal."""
        for place in sorted(self.seen.keys() | other.seen.keys()):
            ours, theirs = self.seen.get(place, []), other.seen.get(place, [])
            if ours == theirs:
                continue
            at = next((i for i, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b), None)
            topic, partition, _, source = place
            where = f"{topic}[{partition}] from source partition {source}"
            if at is None:
                return f"{where}: {len(ours)} records against {len(theirs)}"
            return f"{where}: record {at} is {ours[at][0]} against {theirs[at][0]}, or has other bytes"
        return None
