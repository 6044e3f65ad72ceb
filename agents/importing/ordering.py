"""Sorts records by event time in bounded memory (sorted runs on disk, merged), and puts ticks between them."""

import heapq
import tempfile
from collections.abc import Iterable, Iterator
from typing import IO, Any, NamedTuple

import msgpack

RUN = 250_000
"""Messages sorted in memory at once; about 60 MB."""


EMPTY_MS = 30 * 86_400_000
EMPTY_TICKS = 100
"""Time between two messages is empty when it is longer than this, in ms and in ticks: no schedule asks within it."""


class Message(NamedTuple):
    """An encoded record. Sorts by (time, order); `order` is the row's place in its file, so that the sort is stable."""

    time: int
    order: int
    customer: str
    value: bytes


class TickAt(NamedTuple):
    """The clock reaches `time` (ms): all messages up to then are published. gap: there are none since the last tick."""

    time: int
    gap: bool = False


class Sorter:
    """Takes messages in any order and returns them in order, once. Use it as a context manager."""

    def __init__(self, run: int = RUN) -> None:
        self._limit = run
        self._held: list[Message] = []
        self._runs: list[IO[bytes]] = []
        self.count = 0

    def __enter__(self) -> "Sorter":
        return self

    def __exit__(self, *_: object) -> None:
        for file in self._runs:
            file.close()

    def add(self, message: Message) -> None:
        """Add a message."""
        self._held.append(message)
        self.count += 1
        if len(self._held) >= self._limit:
            self._spill()

    def messages(self) -> Iterator[Message]:
        """Return all messages, by time and then by order."""
        self._held.sort()
        if not self._runs:
            return iter(self._held)
        return heapq.merge(*(map(Message._make, _read(file)) for file in self._runs), self._held)

    def _spill(self) -> None:
        self._held.sort()
        file: Any = tempfile.TemporaryFile(prefix="tidecast-publish-")  # noqa: SIM115 - closed with the sorter
        self._runs.append(file)
        pack = msgpack.Packer(autoreset=True).pack
        for message in self._held:
            file.write(pack(message))
        self._held.clear()


def _read(file: IO[bytes]) -> Iterator[Any]:
    file.seek(0)
    return iter(msgpack.Unpacker(file, use_list=False))


def with_ticks(messages: Iterable[Message], every: int, until: int | None = None) -> Iterator[Message | TickAt]:
    """Yield the messages, which are in order, with the ticks of the clock between them.

    A tick comes at every multiple of `every` (ms) from the first message's time on, after all messages up to it; at the
    last message's time; and then at the multiples below `until`, and at `until`. Empty time between two messages has
    two ticks only, at its first and at its last multiple."""
    last: int | None = None
    ticked: int | None = None
    for message in messages:
        if last is not None:
            for tick in _between(last, message.time, every):
                yield tick
                ticked = tick.time
        last = message.time
        yield message
    if last is None:
        if until is not None:
            yield TickAt(until)
        return
    if ticked != last:
        yield TickAt(last)
    if until is not None and until > last:
        for boundary in _boundaries(last + 1, until, every):
            yield TickAt(boundary)
        yield TickAt(until)


def _between(start: int, end: int, every: int) -> Iterator[TickAt]:
    """Return the ticks between two messages. One row with a wrong year must not cost a tick for every day."""
    boundaries = range(-(-start // every) * every, end, every)
    if end - start > max(EMPTY_MS, EMPTY_TICKS * every) and len(boundaries) > 2:
        return iter((TickAt(boundaries[0]), TickAt(boundaries[-1], gap=True)))
    return map(TickAt, boundaries)


def _boundaries(start: int, end: int, every: int) -> Iterator[int]:
    """Return the multiples of `every` in [start, end)."""
    return iter(range(-(-start // every) * every, end, every))
