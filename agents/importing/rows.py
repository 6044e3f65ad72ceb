"""Reads rows of CSV, JSON lines and Parquet files with their line numbers, in bounded memory."""

import csv
import gzip
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import IO, Any, Protocol

from streams.errors import TidecastError

BLOCK = 1 << 20
PARQUET_ROWS = 10_000


@dataclass(frozen=True, slots=True)
class Line:
    """A row, or the reason why it is none. `number` counts from 1: physical lines, or rows of a Parquet file."""

    number: int
    row: dict[str, Any] | None
    reason: str = ""


class RowFile(Protocol):
    """A file of rows."""

    @property
    def columns(self) -> tuple[str, ...] | None:
        """Names of the columns; None where each row names its own."""
        ...

    @property
    def digest(self) -> str:
        """First 16 hex digits of the SHA-256 of the uncompressed content: the same rows get the same ids."""
        ...

    def lines(self) -> Iterator[Line]:
        """Return all rows in the file's order."""
        ...


def open_rows(path: Path, separator: str = ",") -> RowFile:
    """Open a file by its name: .csv, .tsv, .txt, .jsonl, .ndjson, .json (each also with .gz) or .parquet."""
    if not path.is_file():
        raise TidecastError(f"There is no file {path}; check its name.")
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] == ".gz":
        suffixes.pop()
    kind = suffixes[-1] if suffixes else ""
    if kind == ".parquet":
        return ParquetFile(path)
    if kind in (".jsonl", ".ndjson", ".json"):
        return JsonLinesFile(path)
    if kind in (".csv", ".tsv", ".txt"):
        return CsvFile(path, "\t" if kind == ".tsv" else separator)
    raise TidecastError(f"{path} has none of the endings .csv, .jsonl, .parquet (.gz may follow); rename it.")


@contextmanager
def _bytes(path: Path) -> Iterator[Any]:
    """Open the file's decompressed bytes. Raises TidecastError when they cannot be read."""
    try:
        with path.open("rb") as raw:
            packed = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            if packed:
                with gzip.GzipFile(fileobj=raw) as unpacked:
                    yield unpacked
            else:
                yield raw
    except (OSError, EOFError) as error:
        raise TidecastError(f"{path} cannot be read: {error}; check the file.") from error


def _digest(path: Path) -> str:
    found = hashlib.sha256()
    with _bytes(path) as file:
        while block := file.read(BLOCK):
            found.update(block)
    return found.hexdigest()[:16]


def _text(file: IO[bytes]) -> Iterator[str]:
    """Return lines with their line ends. Bytes that are not UTF-8 are kept, and rejected with their row."""
    first = True
    for line in file:
        yield line.decode("utf-8-sig" if first else "utf-8", "surrogateescape")
        first = False


class CsvFile:
    """A CSV with a header; quoted values may span lines."""

    def __init__(self, path: Path, separator: str) -> None:
        self._path = path
        self._separator = separator
        with _bytes(path) as file:
            header = next(csv.reader(_text(file), delimiter=separator), None)
        if not header:
            raise TidecastError(f"{path} has no header; its first line must name the columns.")
        twice = {name for name in header if header.count(name) > 1}
        if twice:
            raise TidecastError(f"{path} has two columns {sorted(twice)[0]!r}; rename one.")
        self.columns: tuple[str, ...] = tuple(header)
        self.digest = _digest(path)

    def lines(self) -> Iterator[Line]:
        """See RowFile; empty lines are skipped."""
        width, names = len(self.columns), self.columns
        with _bytes(self._path) as file:
            reader = csv.reader(_text(file), delimiter=self._separator)
            next(reader)
            while True:
                number = reader.line_num + 1
                try:
                    values = next(reader)
                except StopIteration:
                    return
                except csv.Error as error:
                    yield Line(number, None, f"is not CSV: {error}")
                    continue
                if len(values) == width:
                    yield Line(number, dict(zip(names, values, strict=True)))
                elif values:
                    yield Line(number, None, f"has {len(values)} columns, the header has {width}")


class JsonLinesFile:
    """One JSON object a line; numbers stay exact."""

    columns = None

    def __init__(self, path: Path) -> None:
        self._path = path
        self.digest = _digest(path)

    def lines(self) -> Iterator[Line]:
        """See RowFile; empty lines are skipped."""
        with _bytes(self._path) as file:
            for number, text in enumerate(_text(file), 1):
                if not text.strip():
                    continue
                try:
                    row = json.loads(text, parse_float=Decimal)
                except (ValueError, RecursionError) as error:
                    yield Line(number, None, f"is not JSON: {error}")
                    continue
                if isinstance(row, dict):
                    yield Line(number, row)
                else:
                    yield Line(number, None, "is not a JSON object")


class ParquetFile:
    """A Parquet file; line numbers count its rows from 1."""

    def __init__(self, path: Path) -> None:
        from pyarrow import ArrowException, parquet  # imported here: it takes 0.3 s, which other files do not need

        try:
            self._file = parquet.ParquetFile(path)
        except (ArrowException, OSError) as error:
            raise TidecastError(f"{path} is not a Parquet file: {error}; check it.") from error
        self.columns: tuple[str, ...] = tuple(self._file.schema_arrow.names)
        self.digest = _digest(path)

    def lines(self) -> Iterator[Line]:
        """See RowFile."""
        number = 0
        for batch in self._file.iter_batches(PARQUET_ROWS):
            for row in batch.to_pylist():
                number += 1
                yield Line(number, row)
