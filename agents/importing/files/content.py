"""The content of a file: its bytes out of their compression, its digest, and its text out of its encoding."""

import codecs
import gzip
import hashlib
import io
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from streams.errors import TidecastError

BLOCK = 1 << 20
LIKELY = [
    *("cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256"),
    *("shift_jis", "gb18030", "big5", "euc_kr", "mac_roman", "cp850"),
]
"""Encodings that exports have where they are not UTF-8."""
MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""Byte order marks, the longer before those that they begin with."""
ARCHIVES = {
    b"PK\x03\x04": "a ZIP archive or an Excel workbook: unpack it, or save the sheet as CSV",
    b"\x1f\x8b": "packed twice: unpack it once",
    b"BZh": "packed with bzip2: unpack it first",
    b"\xfd7zXZ": "packed with xz: unpack it first",
    b"\x28\xb5\x2f\xfd": "packed with zstd: unpack it first",
    b"PAR1": "a Parquet file: name it .parquet",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook: save the sheet as CSV",
}
UNDECODED = re.compile("[\ud800-\udfff]")
"""What stands for a byte that the encoding does not have."""


@contextmanager
def open_bytes(path: Path) -> Iterator[Any]:
    """Open the file's decompressed bytes."""
    with readable(path), path.open("rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        if packed:
            with gzip.GzipFile(fileobj=raw) as unpacked:
                yield unpacked
        else:
            yield raw


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn the errors of a file that cannot be read to its end into TidecastError."""
    try:
        yield
    except (OSError, EOFError, zlib.error) as error:
        raise TidecastError(f"{path} cannot be read to its end ({error}): it is damaged; get it again.") from error


def digest_of(path: Path) -> str:
    """Return the first 16 hex digits of the SHA-256 of the uncompressed content."""
    found = hashlib.sha256()
    with open_bytes(path) as file:
        while block := file.read(BLOCK):
            found.update(block)
    return found.hexdigest()[:16]


class TextFile:
    """The lines of a text file.

    Without an encoding, a file that is not UTF-8 is refused at the first byte that shows it. With one, a line that
    does not fit the encoding keeps what `is_undecoded` finds, so that its row is rejected alone."""

    def __init__(self, path: Path, encoding: str | None) -> None:
        self._path = path
        self._told = encoding is not None
        self.is_open = False
        """Whether the last line does not end with a line break; known after the last line."""
        with open_bytes(path) as file:
            start = file.read(6)
        for mark, what in ARCHIVES.items():
            if start.startswith(mark):
                raise TidecastError(f"{path} is {what}.")
        marked = next((name for mark, name in MARKS if start.startswith(mark)), None)
        if encoding is None and marked is None and b"\x00" in start:  # every ASCII character has one in UTF-16
            raise TidecastError(
                f'{path} is not text in UTF-8; if it is UTF-16 write encoding = "utf-16-le" in the mapping.'
            )
        self.encoding = marked or encoding or "utf-8"

    @contextmanager
    def lines(self) -> Iterator[Iterator[str]]:
        """Open the file's lines, with their line ends as they are."""
        with open_bytes(self._path) as file:
            text = io.TextIOWrapper(file, self.encoding, self._errors(), newline="")
            yield self._checked(text)

    def _errors(self) -> str:
        return "surrogateescape" if self.encoding.startswith("utf-8") or self._told else "strict"

    def _checked(self, text: IO[str]) -> Iterator[str]:
        number, line = 0, "\n"
        try:
            for line in text:
                number += 1
                if not self._told and not line.isascii() and UNDECODED.search(line):
                    raise TidecastError(self._no_utf8(number, line))
                yield line
            self.is_open = not line.endswith(("\n", "\r"))
        except UnicodeError as error:
            raise TidecastError(
                f"{self._path}: line {number + 1} is not {self.encoding} ({error}); write the right encoding in the "
                "mapping."
            ) from error

    def _no_utf8(self, number: int, line: str) -> str:
        found = UNDECODED.search(line)
        assert found is not None
        raw = line.strip().encode("utf-8", "surrogateescape")
        near = raw[max(0, found.start() - 20) : found.start() + 20]
        byte = found[0].encode("utf-8", "surrogateescape")[0]
        readings = [f'encoding = "{name}" (it reads {text!r} then)' for name, text in _readings(raw, near)]
        return (
            f"{self._path}: line {number} has the byte 0x{byte:02x}, which is not UTF-8: the encoding is another one. "
            f'Write it in the mapping: {" or ".join(readings)}; or encoding = "utf-8" to reject such rows alone.'
        )


def _readings(raw: bytes, part: bytes) -> list[tuple[str, str]]:
    """Return encodings that bytes probably have, and how a part of them reads in each."""
    from charset_normalizer import from_bytes  # imported here: few files need it

    best = from_bytes(raw, cp_isolation=LIKELY).best()
    names = dict.fromkeys(["cp1252", *([best.encoding] if best is not None else [])])
    return [(name, part.decode(name, "replace")) for name in names]


def is_undecoded(text: str) -> bool:
    """Return whether a text has bytes that its file's encoding does not have."""
    return not text.isascii() and UNDECODED.search(text) is not None
