"""Decompresses Kafka's batches within bounds.

A broker's size limit applies to compressed bytes: a megabyte may become 30 GB (zstd), and aiokafka decompresses it
whole. A batch of up to LARGEST_BATCH bytes is decompressed as it is. In a larger one, keys and values above
streams.scoring.intake.MAX_RECORD_BYTES are replaced by TOO_LARGE_MARK, so that every reader makes a dead letter of
them. A batch that is still too large stops the worker with an error."""

import contextlib
import zlib
from collections.abc import Callable, Iterator

import aiokafka.record.default_records as plain_records
import cramjam
import lz4.frame
import zstandard

from streams.errors import TidecastError
from streams.scoring.intake import MAX_RECORD_BYTES, TOO_LARGE_MARK

LARGEST_BATCH = 64 << 20
CHUNK = 1 << 20
"""The maximum number of decompressed bytes of a batch that are kept as they are."""
USUAL = 8 << 20
"""Up to so many bytes zstd decompresses in one go, which is faster than in chunks."""
ZSTD_PIECE = 256
"""Compressed bytes given to zstd at a time; it can make 8 MiB of them."""
MOST_BY_SNAPPY = 64
"""Snappy decompresses to at most so many times the compressed length."""
XERIAL = b"\x82SNAPPY\x00"
XERIAL_HEAD = 16

Chunks = Callable[[bytes], Iterator[bytes]]


def install() -> None:
    """Make aiokafka decompress by this module. Calling it again changes nothing."""
    modules = [plain_records]
    try:
        import aiokafka.record._crecords.default_records as compiled

        modules.append(compiled)
    except ImportError:  # a platform without aiokafka's compiled part
        pass
    for module in modules:
        for name, chunks in CODECS.items():
            setattr(module, f"{name}_decode", _decoder(chunks))


def _decoder(chunks: Chunks) -> Callable[[bytes], bytes]:
    return lambda data: unpacked(chunks(bytes(data)))


def unpacked(chunks: Iterator[bytes]) -> bytes:
    """Return a batch's records, unchanged if they are not too large."""
    found, size = [], 0
    for chunk in chunks:
        found.append(chunk)
        size += len(chunk)
        if size > LARGEST_BATCH:
            return _thinned(found, chunks)
    return b"".join(found)


def _gzip(data: bytes) -> Iterator[bytes]:
    while data:
        frame = zlib.decompressobj(31)
        while not frame.eof:
            chunk = frame.decompress(data, CHUNK)
            data = frame.unconsumed_tail
            if not chunk and not data and not frame.eof:
                raise EOFError
            yield chunk
        data = frame.unused_data


def _lz4(data: bytes) -> Iterator[bytes]:
    while data:
        frame = lz4.frame.LZ4FrameDecompressor()
        yield frame.decompress(data, CHUNK)
        while not frame.eof:
            chunk = frame.decompress(b"", CHUNK)
            if not chunk and not frame.eof:
                raise EOFError
            yield chunk
        data = frame.unused_data or b""


def _zstd(data: bytes) -> Iterator[bytes]:
    room = bytearray(min(USUAL, 32 * len(data)))
    with contextlib.suppress(cramjam.DecompressionError):  # it is larger, or truncated: in chunks
        size = cramjam.zstd.decompress_into(data, room)
        yield bytes(memoryview(room)[:size])
        return
    while data:
        frame = zstandard.ZstdDecompressor().decompressobj()
        at = 0
        while not frame.eof:
            if at >= len(data):
                raise EOFError
            yield frame.decompress(data[at : at + ZSTD_PIECE])
            at += ZSTD_PIECE
        data = frame.unused_data + data[at:]


def _snappy(data: bytes) -> Iterator[bytes]:
    if not data.startswith(XERIAL):
        yield _one_snappy(data)
        return
    at = XERIAL_HEAD
    while at < len(data):
        size = int.from_bytes(data[at : at + 4])
        yield _one_snappy(data[at + 4 : at + 4 + size])
        at += 4 + size


def _one_snappy(data: bytes) -> bytes:
    if cramjam.snappy.decompress_raw_len(data) > MOST_BY_SNAPPY * len(data):
        raise ValueError("a snappy block claims to be larger than it can be")
    return bytes(cramjam.snappy.decompress_raw(data))


CODECS: dict[str, Chunks] = {"gzip": _gzip, "lz4": _lz4, "zstd": _zstd, "snappy": _snappy}
"""aiokafka's codec name → a function that decompresses a batch in chunks."""


class _Source:
    """Reads bytes that arrive in chunks."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._pieces = chunks
        self._held = bytearray()

    def more(self) -> bool:
        """Return whether there is another byte."""
        while not self._held:
            chunk = next(self._pieces, None)
            if chunk is None:
                return False
            self._held += chunk
        return True

    def take(self, size: int) -> bytes:
        """Return the next `count` bytes."""
        while len(self._held) < size:
            if (chunk := next(self._pieces, None)) is None:
                raise EOFError
            self._held += chunk
        taken = bytes(self._held[:size])
        del self._held[:size]
        return taken

    def skip(self, size: int) -> None:
        """Skip so many bytes without holding them."""
        while size > 0:
            if not self.more():
                raise EOFError
            step = min(size, len(self._held))
            del self._held[:step]
            size -= step

    def number(self) -> tuple[int, bytes]:
        """Return a zigzag number of Kafka's record format, and its bytes."""
        raw, found = b"", 0
        while not raw or raw[-1] & 0x80:
            raw += self.take(1)
            found |= (raw[-1] & 0x7F) << 7 * (len(raw) - 1)
        return (found >> 1) ^ -(found & 1), raw


def _thinned(held: list[bytes], rest: Iterator[bytes]) -> bytes:
    """Return Kafka's records (format v2: length, attributes, time, offset, key, value, headers) without oversized
    keys and values."""

    def chunks() -> Iterator[bytes]:
        while held:
            yield held.pop(0)
        yield from rest

    source, out = _Source(chunks()), bytearray()
    while source.more():
        length, raw = source.number()
        out += raw + source.take(length) if length <= MAX_RECORD_BYTES else _small(source, length)
        if len(out) > LARGEST_BATCH:
            raise TidecastError(
                f"A compressed batch in Kafka decompresses to more than {LARGEST_BATCH >> 20} MiB of small records, "
                "which no producer's client sends; look at it, then delete the topic's records up to it."
            )
    return bytes(out)


def _small(source: _Source, length: int) -> bytes:
    """Return a record with marks in place of an oversized key or value, and without headers, which are not read."""
    body = source.take(1) + source.number()[1] + source.number()[1]
    read = len(body)
    for _ in ("key", "value"):
        size, raw = source.number()
        read += len(raw) + max(size, 0)
        if size > MAX_RECORD_BYTES:
            source.skip(size)
            body += _number(len(TOO_LARGE_MARK)) + TOO_LARGE_MARK
        else:
            body += raw + source.take(max(size, 0))
    source.skip(length - read)
    body += _number(0)
    return _number(len(body)) + body


def _number(number: int) -> bytes:
    number <<= 1
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])
