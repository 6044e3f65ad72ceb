"""Rows of a Parquet file."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from agents.importing.files.content import digest_of
from agents.importing.files.rows import Line
from streams.errors import TidecastError

ROWS = 10_000
"""Rows in memory at once."""


class ParquetFile:
    """A Parquet file; line numbers count its rows from 1."""

    unit = "row"
    separator = None

    def __init__(self, path: Path) -> None:
        from pyarrow import parquet  # imported here: it takes 0.3 s, which other files do not need

        self.path = path
        with _readable(path):
            self._file = parquet.ParquetFile(path)
        schema = self._file.schema_arrow
        self.columns: tuple[str, ...] = tuple(schema.names)
        self._binary = [field.name for field in schema if "binary" in str(field.type)]
        twice = sorted({name for name in self.columns if self.columns.count(name) > 1})
        if twice:
            raise TidecastError(f"{path} has two columns {twice[0]!r}; rename one.")
        self.digest = digest_of(path)
        self.notes: list[str] = []

    def lines(self) -> Iterator[Line]:
        """See RowFile."""
        number = 0
        with _readable(self.path):
            for batch in self._file.iter_batches(ROWS):
                for row in batch.to_pylist():
                    number += 1
                    for name in self._binary:
                        row[name] = _text(row[name])
                    yield Line(number, row)


def _text(value: Any) -> Any:
    """Return bytes as text where they are UTF-8. Some programs write texts without saying that they are."""
    if isinstance(value, bytes):
        with suppress(UnicodeDecodeError):
            return value.decode()
    return value


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    from pyarrow import ArrowException

    try:
        yield
    except (ArrowException, OSError, EOFError, ValueError, OverflowError) as error:
        raise TidecastError(
            f"{path} is not a Parquet file that can be read to its end ({' '.join(str(error).split())[:200]}): it is "
            "damaged, or another kind of file; get it again."
        ) from error
