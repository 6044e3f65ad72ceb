"""The rows of a file, and what a file of rows is."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Line:
    """A row, or the reason why it is none. Without either it is empty, and counts as no row.

    number: counts from 1: physical lines, or rows where a file has no lines. lines: how many of them the row takes."""

    number: int
    row: dict[str, Any] | None
    reason: str = ""
    lines: int = 1


@dataclass(frozen=True, slots=True)
class FileFormat:
    """What a mapping says about its files. separator: of a CSV; None is found out. encoding: None is UTF-8, or what
    the file's byte order mark says."""

    separator: str | None = None
    encoding: str | None = None


class RowFile(Protocol):
    """A file of rows. Every method raises TidecastError where the file is broken."""

    @property
    def path(self) -> Path:
        """Where it lies."""
        ...

    @property
    def unit(self) -> str:
        """What the numbers count: `line` or `row`."""
        ...

    @property
    def separator(self) -> str | None:
        """The separator of a CSV; None for other files."""
        ...

    @property
    def columns(self) -> tuple[str, ...] | None:
        """Names of the columns; None where each row names its own."""
        ...

    @property
    def digest(self) -> str:
        """First 16 hex digits of the SHA-256 of the uncompressed content: the same rows get the same ids."""
        ...

    @property
    def notes(self) -> list[str]:
        """What reading it to the end has shown that a person should know."""
        ...

    def lines(self) -> Iterator[Line]:
        """Return all rows in the file's order."""
        ...
