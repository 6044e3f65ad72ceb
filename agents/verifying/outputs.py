"""Compares a replay's outputs with those that a reader with marks sees: each once, in order, none missing."""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import NamedTuple

from agents.verifying.finding import Finding
from schemas.marks import coordinate_of
from streams.avro.codec import Codec
from streams.identity import Position
from streams.log import Output, Record, TopicPartition

SIZE = 16
"""Bytes of the digest of a value."""


class Way(NamedTuple):
    """A partition of outputs, and the partition of the records that caused them."""

    topic: str
    partition: int
    source: str
    source_partition: int

    def __str__(self) -> str:
        return f"{self.topic}[{self.partition}] from {self.source}[{self.source_partition}]"


@dataclass
class Seen:
    """The outputs from one partition to another, each at its first occurrence: offset, ordinal and digest."""

    offsets: "array[int]" = field(default_factory=lambda: array("q"))
    ordinals: "array[int]" = field(default_factory=lambda: array("q"))
    digests: bytearray = field(default_factory=bytearray)

    def advance(self, offset: int, ordinal: int) -> bool:
        """Return whether this place lies above the mark."""
        return not self.offsets or (offset, ordinal) > (self.offsets[-1], self.ordinals[-1])

    def add(self, offset: int, ordinal: int, digest: bytes) -> None:
        """Add a new output."""
        self.offsets.append(offset)
        self.ordinals.append(ordinal)
        self.digests += digest

    def has(self, offset: int, ordinal: int, digest: bytes) -> bool:
        """Return whether exactly this output was seen."""
        start, end = bisect_left(self.offsets, offset), bisect_right(self.offsets, offset)
        at = bisect_left(self.ordinals, ordinal, start, end)
        return at < end and self.ordinals[at] == ordinal and self.digests[at * SIZE : at * SIZE + SIZE] == digest


class Outputs:
    """Collects both sides and compares them."""

    def __init__(
        self, codec: Codec, sources: Sequence[str], ends: Mapping[TopicPartition, Position] | None = None
    ) -> None:
        """`sources`: topics that the stage reads. Outputs caused by other topics belong to other stages.

        ends: positions of the stage. What records after them caused was sent before a crash, and is sent again."""
        self._ends = ends or {}
        self._codec = codec
        self._sources = sources
        self._expected: dict[Way, bytearray] = {}
        self._seen: dict[Way, Seen] = {}
        self._repeated = 0
        self._contradictions: list[str] = []

    def expect(self, source: TopicPartition, outputs: Iterable[Output]) -> None:
        """Add the replay's next output caused by `source`."""
        for output in outputs:
            way = Way(output.topic, output.partition, *source)
            self._expected.setdefault(way, bytearray()).extend(_digest(output.value))

    def read(self, place: TopicPartition, records: Sequence[Record]) -> None:
        """Add the next record of the log. Records without a source are skipped."""
        for record in records:
            _, fields = self._codec.decode(record.value)
            source = coordinate_of(fields)
            if source is not None and source["topic"] in self._sources:
                way = Way(*place, source["topic"], source["partition"])
                end = self._ends.get(TopicPartition(source["topic"], source["partition"]))
                if end is not None and end <= (source["offset"], source["ordinal"]):
                    continue
                self._read(way, source["offset"], source["ordinal"], _digest(record.value))

    def _read(self, way: Way, offset: int, ordinal: int, digest: bytes) -> None:
        seen = self._seen.setdefault(way, Seen())
        if seen.advance(offset, ordinal):
            seen.add(offset, ordinal, digest)
            return
        self._repeated += 1
        if not seen.has(offset, ordinal, digest):
            what = "was sent again with other bytes, or after later outputs"
            self._contradictions.append(f"{way}: what offset {offset} caused, ordinal {ordinal}, {what}")

    def finding(self, name: str, what: str) -> Finding:
        """Compare both sides and return the finding."""
        compared = sum(map(len, self._expected.values())) // SIZE
        finding = Finding(name, what, compared, self._repeated)
        for way in sorted(self._expected.keys() | self._seen.keys()):
            expected, seen = self._expected.get(way, bytearray()), self._seen.get(way, Seen())
            if expected != seen.digests:
                finding.differs(_difference(way, expected, seen))
        for contradiction in self._contradictions:
            finding.differs(contradiction)
        return finding


def _digest(value: bytes | None) -> bytes:
    return blake2b(value or b"", digest_size=SIZE).digest()


def _difference(way: Way, expected: bytearray, seen: Seen) -> str:
    """Return where the two sides differ first, and how many outputs differ."""
    wanted, there = ([side[i : i + SIZE] for i in range(0, len(side), SIZE)] for side in (expected, seen.digests))
    same = next(
        (i for i, (a, b) in enumerate(zip(wanted, there, strict=False)) if a != b), min(len(wanted), len(there))
    )
    missing = len({*map(bytes, wanted)} - {*map(bytes, there)})
    more = len({*map(bytes, there)} - {*map(bytes, wanted)})
    after = f"caused by offset {seen.offsets[same]}" if same < len(there) else "at its end"
    return f"{way}: from record {same} on, {after}: {missing} of the replay are missing, {more} are not from the replay"
