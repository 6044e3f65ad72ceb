"""Bytes as a source of choices, so that one mutator of bytes makes structured inputs too."""

from collections.abc import Sequence
from typing import Any


class Bites:
    """Takes choices off the front; an empty rest chooses 0 for ever."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def number(self, size: int) -> int:
        """An unsigned number of so many bytes."""
        taken = self._data[self._at : self._at + size]
        self._at += size
        return int.from_bytes(taken, "little")

    def signed(self, size: int) -> int:
        """The same in two's complement."""
        number = self.number(size)
        return number - (1 << 8 * size) if number >> (8 * size - 1) else number

    def one_of(self, choices: Sequence[Any]) -> Any:
        return choices[self.number(1) % len(choices)]

    def bites(self, most: int) -> bytes:
        """At most so many bytes, by a length of two bytes."""
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
    """What `bites` takes off whole."""
    return len(data).to_bytes(2, "little") + data
