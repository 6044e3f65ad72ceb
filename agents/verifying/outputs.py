"""What a stage should have put out against what a reader that keeps marks sees: each once, in order, none missing."""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import NamedTuple

from agents.verifying.finding import Finding
from schemas.marks import coordinate_of
from streams.avro.codec import Codec
from streams.log import Output, Record, TopicPartition

SIZE = 16
"""Bytes of a value's digest."""


class Way(NamedTuple):
    """A partition of a topic, and the partition whose records cause what lies there."""

    topic: str
    partition: int
    source: str
    source_partition: int

    def __str__(self) -> str:
        return f"{self.topic}[{self.partition}] from {self.source}[{self.source_partition}]"


@dataclass
class Seen:
    """Records of one way, each at its first occurrence: coordinates' offsets and ordinals, and values' digests."""

    offsets: "array[int]" = field(default_factory=lambda: array("q"))
    ordinals: "array[int]" = field(default_factory=lambda: array("q"))
    digests: bytearray = field(default_factory=bytearray)

    def is_new(self, offset: int, ordinal: int) -> bool:
        """Whether this lies above the mark."""
        return not self.offsets or (offset, ordinal) > (self.offsets[-1], self.ordinals[-1])

    def add(self, offset: int, ordinal: int, digest: bytes) -> None:
        """One more, which is new."""
        self.offsets.append(offset)
        self.ordinals.append(ordinal)
        self.digests += digest

    def has(self, offset: int, ordinal: int, digest: bytes) -> bool:
        """Whether it was seen just so."""
        start, end = bisect_left(self.offsets, offset), bisect_right(self.offsets, offset)
        at = bisect_left(self.ordinals, ordinal, start, end)
        return at < end and self.ordinals[at] == ordinal and self.digests[at * SIZE : at * SIZE + SIZE] == digest


class Outputs:
    """Gathers both sides, and compares them in the end."""

    def __init__(self, codec: Codec, sources: Sequence[str]) -> None:
        """`sources`: topics that the stage reads; what others caused on the same topics is not its own."""
        self._codec = codec
        self._sources = sources
        self._expected: dict[Way, bytearray] = {}
        self._seen: dict[Way, Seen] = {}
        self._repeated = 0
        self._contradictions: list[str] = []

    def expect(self, source: TopicPartition, outputs: Iterable[Output]) -> None:
        """What a replay of `source` puts out next."""
        for output in outputs:
            way = Way(output.topic, output.partition, *source)
            self._expected.setdefault(way, bytearray()).extend(_digest(output.value))

    def read(self, place: TopicPartition, records: Sequence[Record]) -> None:
        """What lies in the log next. Records without a source are passed over."""
        for record in records:
            _, fields = self._codec.decode(record.value)
            source = coordinate_of(fields)
            if source is not None and source["topic"] in self._sources:
                way = Way(*place, source["topic"], source["partition"])
                self._read(way, source["offset"], source["ordinal"], _digest(record.value))

    def _read(self, way: Way, offset: int, ordinal: int, digest: bytes) -> None:
        seen = self._seen.setdefault(way, Seen())
        if seen.is_new(offset, ordinal):
            seen.add(offset, ordinal, digest)
            return
        self._repeated += 1
        if not seen.has(offset, ordinal, digest):
            what = "is sent again with other bytes, or after later ones"
            self._contradictions.append(f"{way}: what offset {offset} caused, ordinal {ordinal}, {what}")

    def finding(self, name: str, what: str) -> Finding:
        """The comparison."""
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
    """Where the two differ first, and how much."""
    wanted, there = ([side[i : i + SIZE] for i in range(0, len(side), SIZE)] for side in (expected, seen.digests))
    same = next(
        (i for i, (a, b) in enumerate(zip(wanted, there, strict=False)) if a != b), min(len(wanted), len(there))
    )
    missing = len({*map(bytes, wanted)} - {*map(bytes, there)})
    more = len({*map(bytes, there)} - {*map(bytes, wanted)})
    after = f"caused by offset {seen.offsets[same]}" if same < len(there) else "at its end"
    return f"{way}: from record {same} on, {after}: {missing} of a calm replay are missing, {more} are none of its"
