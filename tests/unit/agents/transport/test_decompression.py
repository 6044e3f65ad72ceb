"""Compressed batches, read with aiokafka's own parser."""

import gzip
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import aiokafka.record.default_records as plain
import cramjam
import lz4.frame
import pytest
import zstandard
from aiokafka.record import MemoryRecords

from agents.transport import decompression as unpacking
from agents.transport.decompression import CODECS, unpacked
from streams.errors import TidecastError
from streams.scoring.intake import MAX_RECORD_BYTES, TOO_LARGE_MARK

NUMBERS = {"gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}
PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "snappy": lambda data: bytes(cramjam.snappy.compress_raw(data)),
    "lz4": lambda data: lz4.frame.compress(data, block_size=lz4.frame.BLOCKSIZE_MAX64KB),
    "zstd": lambda data: zstandard.ZstdCompressor(write_content_size=False).compress(data),
}
HUGE = 3 * MAX_RECORD_BYTES


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """Install our decompression and restore aiokafka's own at the end."""
    import aiokafka.record._crecords.default_records as compiled

    names = [f"{name}_decode" for name in CODECS]
    before = {(module, name): getattr(module, name) for module in (plain, compiled) for name in names}
    unpacking.install()
    yield
    for (module, name), value in before.items():
        setattr(module, name, value)


def batch(codec: str, records: list[tuple[bytes | None, bytes | None]]) -> bytes:
    """Return a batch as a producer sends it."""
    builder = plain.DefaultRecordBatchBuilder(2, 0, 0, -1, -1, -1, 1 << 40)
    for offset, (key, value) in enumerate(records):
        builder.append(offset, 1_700_000_000_000 + offset, key, value, [("h", b"x" * 10)])
    built = bytes(builder.build())
    head, body = bytearray(built[:61]), PACKERS[codec](built[61:])
    head[22] = NUMBERS[codec]
    head[8:12] = (61 + len(body) - 12).to_bytes(4)
    return bytes(head) + body


def read(data: bytes) -> list[tuple[int, bytes | None, bytes | None]]:
    found = []
    records = MemoryRecords(data)
    while (chunk := records.next_batch()) is not None:
        found += [(r.offset, r.timestamp, r.key, r.value) for r in chunk]
    return [(offset, key, value) for offset, time, key, value in found if time == 1_700_000_000_000 + offset]


RECORDS = [
    (b"a", b"small"),
    (None, b""),
    (b"b", b"v" * HUGE),
    (b"k" * HUGE, b"c"),
    (b"d", None),
    (b"e", b"w" * MAX_RECORD_BYTES),
    (b"f", b"last"),
]


@pytest.mark.parametrize("codec", NUMBERS)
def test_a_batch_of_a_usual_size_comes_as_it_was(codec: str) -> None:
    assert read(batch(codec, RECORDS)) == [(n, *record) for n, record in enumerate(RECORDS)]


@pytest.mark.parametrize("codec", NUMBERS)
def test_of_a_large_batch_only_what_is_too_large_is_left_out(codec: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacking, "LARGEST_BATCH", 4 * MAX_RECORD_BYTES)
    monkeypatch.setattr(unpacking, "CHUNK", 10_000)
    monkeypatch.setattr(unpacking, "USUAL", 10_000)
    expected = [(n, *record) for n, record in enumerate(RECORDS)]
    expected[2] = (2, b"b", TOO_LARGE_MARK)
    expected[3] = (3, TOO_LARGE_MARK, b"c")
    assert read(batch(codec, RECORDS)) == expected


@pytest.mark.parametrize("codec", ["gzip", "lz4", "zstd"])
def test_a_bomb_takes_little_memory(codec: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacking, "LARGEST_BATCH", 2_000_000)
    data = batch(codec, [(b"a", b"1"), (b"b", bytes(80_000_000)), (b"c", b"2")])
    assert len(data) < 400_000
    tracemalloc.start()
    try:
        assert read(data) == [(0, b"a", b"1"), (1, b"b", TOO_LARGE_MARK), (2, b"c", b"2")]
        assert tracemalloc.get_traced_memory()[1] < 50_000_000
    finally:
        tracemalloc.stop()


def test_too_much_in_small_records_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacking, "LARGEST_BATCH", 1_000_000)
    with pytest.raises(TidecastError, match="small records"):
        read(batch("zstd", [(b"a", bytes(1000))] * 2000))


@pytest.mark.parametrize("codec", ["gzip", "lz4", "zstd"])
def test_a_cut_batch_is_an_error(codec: str) -> None:
    with pytest.raises(EOFError):
        unpacked(CODECS[codec](PACKERS[codec](bytes(100_000))[:-3]))


def test_snappy_in_xerials_blocks() -> None:
    parts = [b"one" * 100, b"two" * 100]
    blocks: list[Any] = [PACKERS["snappy"](part) for part in parts]
    framed = unpacking.XERIAL + bytes(8) + b"".join(len(block).to_bytes(4) + block for block in blocks)
    assert unpacked(CODECS["snappy"](framed)) == b"".join(parts)
    with pytest.raises(ValueError, match="larger than it can be"):
        unpacked(CODECS["snappy"](b"\xff\xff\xff\xff\x0f" + b"junk"))
