"""Rows of a CSV file with a header."""

import csv
import re
from collections.abc import Iterator
from pathlib import Path

from agents.importing.files.content import TextFile, digest_of, is_undecoded
from agents.importing.files.rows import Line
from streams.errors import TidecastError

SEPARATORS = (",", ";", "\t", "|")
"""Separators that are tried, in this order, where the mapping names none."""
CUT = "the last line does not end with a line break: if the file was cut, its last row may be wrong"
EXCEL = re.compile(r"\ufeff?sep=(.)\s*", re.IGNORECASE)
"""A first line that only Excel understands."""


class CsvFile:
    """A CSV with a header. Quoted values may span lines."""

    unit = "line"

    def __init__(self, path: Path, separator: str | None, encoding: str | None) -> None:
        self.path = path
        self._text = TextFile(path, encoding)
        with self._text.lines() as lines:
            first = next(lines, "")
            excel = EXCEL.fullmatch(first)
            self._skipped = int(excel is not None)
            head = next(lines, "") if excel else first
        if not head.strip():
            raise TidecastError(f"{path} has no header; its first line must name the columns.")
        self.separator: str = separator or (excel[1] if excel else _separator(head))
        with self._text.lines() as lines:
            for _ in range(self._skipped):
                next(lines)
            reader = csv.reader(lines, delimiter=self.separator, strict=True)
            try:
                header = next(reader)
            except csv.Error as error:
                raise TidecastError(f"{path}: the header is not CSV: {error}; correct it.") from error
            self._header_lines = self._skipped + reader.line_num
        self.columns: tuple[str, ...] = tuple(name.strip() for name in header)
        twice = sorted({name for name in self.columns if name and self.columns.count(name) > 1})
        if twice:
            raise TidecastError(f"{path} has two columns {twice[0]!r}; rename one.")
        self.digest = digest_of(path)
        self.notes: list[str] = []

    def lines(self) -> Iterator[Line]:
        """See RowFile."""
        width = len(self.columns)
        with self._text.lines() as lines:
            for _ in range(self._header_lines):
                next(lines)
            reader = csv.reader(lines, delimiter=self.separator, strict=True)
            while True:
                before = reader.line_num
                number = self._header_lines + before + 1
                try:
                    values = next(reader)
                except StopIteration:
                    self.notes = [CUT] if self._text.is_open else []
                    return
                except csv.Error as error:
                    yield Line(number, None, f"is not CSV: {error}{_where(error)}", max(1, reader.line_num - before))
                    continue
                count = reader.line_num - before
                if not values or (width > 1 and not any(values)):
                    yield Line(number, None, "", count)
                    continue
                reason = self._wrong(values, width, count)
                row = None if reason else dict(zip(self.columns, values, strict=True))
                yield Line(number, row, reason, count)

    def _wrong(self, values: list[str], width: int, lines: int) -> str:
        """Return why these values are no row; "" when they are one."""
        if len(values) != width:
            return f"has {len(values)} columns, the header has {width}" + _over(lines)
        if lines > 1:
            for place, value in enumerate(values):
                if width > 2 and self._swallowed(value, place):
                    return f"has whole rows inside {self.columns[place]!r}: a quote is missing or too many" + _over(
                        lines
                    )
        if any(map(is_undecoded, values)):
            return f"has bytes that are not {self._text.encoding}"
        return ""

    def _swallowed(self, value: str, place: int) -> bool:
        """Return whether a value reads like the end of one row, whole rows, and the start of another.

        Two stray quotes in the same column make such a value, and so a row of the right width."""
        parts = value.splitlines()
        if len(parts) < 2:
            return False
        last = len(self.columns) - 1
        counts = [part.count(self.separator) for part in parts]
        return counts == [last - place, *[last] * (len(parts) - 2), place]


def _over(lines: int) -> str:
    return f" (over {lines} lines)" if lines > 1 else ""


def _where(error: csv.Error) -> str:
    return ": a quote is opened and not closed" if "unexpected end" in str(error) else ""


def _separator(head: str) -> str:
    """Return the separator that makes the most columns of a header."""
    counts = {mark: _columns(head, mark) for mark in SEPARATORS}
    return max(counts, key=lambda mark: counts[mark])


def _columns(head: str, separator: str) -> int:
    try:
        return len(next(csv.reader([head], delimiter=separator, strict=True)))
    except csv.Error:
        return 0
