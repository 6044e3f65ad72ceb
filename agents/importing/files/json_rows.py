"""Rows of a JSON file: an object a line, objects over several lines, or one array of objects."""

import json
from collections.abc import Iterable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import ijson

from agents.importing.files.content import TextFile, digest_of, is_undecoded
from agents.importing.files.rows import Line
from streams.errors import TidecastError


class JsonFile:
    """JSON lines, or a JSON document. Numbers stay exact."""

    columns = None
    separator = None

    def __init__(self, path: Path, encoding: str | None) -> None:
        self.path = path
        self._text = TextFile(path, encoding)
        with self._text.lines() as lines:
            first = next((line for line in lines if line.strip()), "").strip()
        self._is_array = first.startswith("[")
        # the first line of a document that goes on in the next one is no JSON
        self._is_document = self._is_array or (first.startswith("{") and not _is_json(first))
        self.unit = "row" if self._is_document else "line"
        self.digest = digest_of(path)
        self.notes: list[str] = []

    def lines(self) -> Iterator[Line]:
        """See RowFile."""
        return self._document() if self._is_document else self._lines()

    def _lines(self) -> Iterator[Line]:
        with self._text.lines() as lines:
            for number, text in enumerate(lines, 1):
                yield self._line(number, text) if text.strip() else Line(number, None)

    def _line(self, number: int, text: str) -> Line:
        if is_undecoded(text):
            return Line(number, None, f"has bytes that are not {self._text.encoding}")
        try:
            row = json.loads(text, parse_float=Decimal, object_pairs_hook=_object)
        except (ValueError, RecursionError) as error:
            return Line(number, None, f"is not JSON: {error}")
        return Line(number, row) if isinstance(row, dict) else Line(number, None, "is not a JSON object")

    def _document(self) -> Iterator[Line]:
        number = 0
        with self._text.lines() as lines:
            source = _Source(lines)
            try:
                for row in ijson.items(source, "item" if self._is_array else "", multiple_values=not self._is_array):
                    number += 1
                    if isinstance(row, dict):
                        yield Line(number, row)
                    else:
                        yield Line(number, None, "is not a JSON object")
            except ijson.JSONError as error:
                raise TidecastError(
                    f"{self.path} is not JSON after row {number}: {' '.join(str(error).split())[:200]}; correct it."
                ) from error


class _Source:
    """Lines as the file of bytes that ijson reads."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = iter(lines)

    def read(self, size: int) -> bytes:
        """Return some more bytes; b"" at the end. The caller takes what comes."""
        return b"" if size == 0 else next(self._lines, "").encode("utf-8", "surrogateescape")


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"it has the key {next(name for name in names if names.count(name) > 1)!r} twice")
    return found
