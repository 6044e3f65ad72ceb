"""Which records a publication holds: identity and content of each, to find the same id with other contents.

Entries of fixed size lie in a file; sorting them takes about 100 bytes of memory a record."""

import struct
import tempfile
from collections.abc import Sequence
from hashlib import blake2b
from typing import IO, Any, NamedTuple

ENTRY = struct.Struct("<QQqqq")
SHOWN = 5
"""Examples that are kept."""


def identity_of(name: str, customer: str, id: str) -> int:
    """Return 8 bytes of a digest of what makes a record: its name, its customer, its id."""
    return _hash("\0".join((name, customer, id)).encode("utf-8", "surrogatepass"))


def content_of(value: bytes) -> int:
    """Return 8 bytes of a digest of an encoded record, without the id of its schema."""
    return _hash(value[5:])


def _hash(data: bytes) -> int:
    return int.from_bytes(blake2b(data, digest_size=8).digest(), "little")


class Repeats(NamedTuple):
    """How many records repeat one before them exactly; how many have its id and another content; (place, place) of
    the first of these."""

    same: int
    other: int
    examples: list[tuple[int, int]]


class Identities:
    """Takes records in any order; afterwards answers questions about all of them. A context manager."""

    def __init__(self) -> None:
        self._file: IO[bytes] = tempfile.TemporaryFile(prefix="tidecast-publish-")  # noqa: SIM115 - closed by __exit__
        self._entries: Any = None

    def __enter__(self) -> "Identities":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, name: str, customer: str, id: str, value: bytes, place: int, time: int, late: bool) -> None:
        """Add an encoded record. place: its order among all. late: whether the watermark has passed its time, ms."""
        self._file.write(ENTRY.pack(identity_of(name, customer, id), content_of(value), place, time, late))

    def sort(self) -> None:
        """Sort the entries. Call it once, after the last record and before any question."""
        import numpy

        kind = [("identity", "<u8"), ("content", "<u8"), ("place", "<i8"), ("time", "<i8"), ("late", "<i8")]
        self._file.flush()
        self._file.seek(0)
        found = numpy.fromfile(self._file, dtype=kind)
        self._entries = found[numpy.argsort(found["identity"], kind="stable")]
        self._published = numpy.zeros(len(found), dtype=bool)

    def times(self) -> Any:
        """Return the sorted event times of all records, ms, as an array."""
        import numpy

        return numpy.sort(self._entries["time"])

    def place_of(self, time: int) -> int:
        """Return the place of a record at exactly that time."""
        entries = self._entries
        return int(entries["place"][entries["time"] == time].min())

    def repeats(self) -> Repeats:
        """Compare the records that have the same identity."""
        entries = self._entries
        again = entries["identity"][1:] == entries["identity"][:-1]
        other = again & (entries["content"][1:] != entries["content"][:-1])
        examples = [(int(entries["place"][at]), int(entries["place"][at + 1])) for at in other.nonzero()[0][:SHOWN]]
        return Repeats(int(again.sum() - other.sum()), int(other.sum()), examples)

    def compare(self, identities: Sequence[int], contents: Sequence[int]) -> list[int]:
        """Compare with records of the log. Marks those of ours that it has; returns the places of those that it has
        with other contents."""
        import numpy

        known = self._entries["identity"]
        if not len(known) or not identities:
            return []
        asked = numpy.array(identities, dtype="<u8")
        at = numpy.minimum(numpy.searchsorted(known, asked), len(known) - 1)
        hit = known[at] == asked
        same = self._entries["content"][at] == numpy.array(contents, dtype="<u8")
        self._published[at[hit & same]] = True
        return [int(place) for place in self._entries["place"][at[hit & ~same]]]

    @property
    def published(self) -> int:
        """How many of the records the log has already, as far as `compare` was called."""
        return int(self._in_log().sum())

    def _in_log(self) -> Any:
        """Return a mask of the records that the log has: `compare` marks the first of equal ones only."""
        import numpy

        entries = self._entries
        first = numpy.searchsorted(entries["identity"], entries["identity"])
        return self._published[first] & (entries["content"] == entries["content"][first])

    @property
    def late(self) -> int:
        """How many events are older than the watermark and are not in the log yet."""
        return int(((self._entries["late"] != 0) & ~self._in_log()).sum())

    @property
    def new(self) -> int:
        """How many records are not in the log yet."""
        return len(self._entries) - self.published
