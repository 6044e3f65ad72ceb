"""Bytes as a source of choices. One mutator of bytes can then produce structured inputs."""

from collections.abc import Sequence
from typing import Any


class Bites:
    """A reader that takes choices from the front of the data. When the data is used up, every choice is 0."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def number(self, size: int) -> int:
        """Return an unsigned number of `size` bytes."""
        taken = self._data[self._at : self._at + size]
        self._at += size
        return int.from_bytes(taken, "little")

    def signed(self, size: int) -> int:
        """Return a number of `size` bytes in two's complement."""
        number = self.number(size)
        return number - (1 << 8 * size) if number >> (8 * size - 1) else number

    def one_of(self, choices: Sequence[Any]) -> Any:
        return choices[self.number(1) % len(choices)]

    def bites(self, most: int) -> bytes:
        """Return at most `most` bytes. A two-byte length comes first."""
        size = min(self.number(2), most)
        taken = self._data[self._at : self._at + size]
        self._at += size
        return taken

    def text(self, most: int) -> str:
        return self.bites(most).decode(errors="replace")

    def rest(self) -> bytes:
        taken = self._data[self._at :]
        self._at = len(self._data)
        return taken


def sized(data: bytes) -> bytes:
    """Return the data with its length in front, as `bites` reads it."""
    return len(data).to_bytes(2, "little") + data
