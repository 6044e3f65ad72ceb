"""A seeded mutator of bytes, for machines without atheris."""

import random
from collections.abc import Sequence

TELLING = (0, 1, 2, 127, 128, 255, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 2**62, 2**63 - 1, 2**63, 2**64 - 1)
MOST = 4096


class Mutator:
    """A source of inputs, made by changing seeds at random."""

    def __init__(self, seeds: Sequence[bytes], seed: int) -> None:
        self._random = random.Random(seed)
        self._pool = list(seeds) or [b""]

    def draw(self) -> bytes:
        r = self._random
        if r.random() < 0.02:
            return r.randbytes(r.randrange(200))
        data = bytearray(r.choice(self._pool))
        for _ in range(1 + int(r.expovariate(0.5))):
            r.choice(_CHANGES)(r, data, self._pool)
        return bytes(data[:MOST])


def _flip(r: random.Random, data: bytearray, pool: Sequence[bytes]) -> None:
    if data:
        data[r.randrange(len(data))] ^= 1 << r.randrange(8)


def _set(r: random.Random, data: bytearray, pool: Sequence[bytes]) -> None:
    if data:
        data[r.randrange(len(data))] = r.choice((0, 1, 2, 127, 128, 254, 255, r.randrange(256)))


def _insert(r: random.Random, data: bytearray, pool: Sequence[bytes]) -> None:
    at = r.randrange(len(data) + 1)
    data[at:at] = r.randbytes(r.choice((1, 1, 2, 4, 8, 30)))


def _remove(r: random.Random, data: bytearray, pool: Sequence[bytes]) -> None:
    if data:
        at = r.randrange(len(data))
        del data[at : at + r.choice((1, 1, 2, 4, 8, 30))]


def _cut(r: random.Random, data: bytearray, pool: Sequence[bytes]) -> None:
    del data[r.randrange(len(data) + 1) :]


def _repeat(r: random.Random, data: bytearray, pool: Sequence[bytes]) -> None:
    if data:
        at = r.randrange(len(data))
        piece = data[at : at + r.randrange(1, 17)]
        data[at:at] = piece * r.choice((1, 2, 16, 100))


def _splice(r: random.Random, data: bytearray, pool: Sequence[bytes]) -> None:
    other = r.choice(pool)
    if other:
        start = r.randrange(len(other))
        at = r.randrange(len(data) + 1)
        data[at : at + r.randrange(8)] = other[start : start + r.randrange(1, 65)]


def _fixed(r: random.Random, data: bytearray, pool: Sequence[bytes]) -> None:
    at, size = r.randrange(len(data) + 1), r.choice((1, 2, 4, 8))
    data[at : at + size] = (r.choice(TELLING) % (1 << 8 * size)).to_bytes(size, "little")


def _varint(r: random.Random, data: bytearray, pool: Sequence[bytes]) -> None:
    at = r.randrange(len(data) + 1)
    data[at : at + 1] = varint(r.choice(TELLING))


def varint(number: int) -> bytes:
    """Encode a number that is already zigzag-encoded as an Avro varint."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


_CHANGES = (_flip, _flip, _set, _set, _insert, _remove, _cut, _repeat, _splice, _splice, _fixed, _varint)
