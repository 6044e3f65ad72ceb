"""Whatever bytes come, decoding answers with a record or with Undecodable, soon and within bounds."""

import struct
import tracemalloc

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.catalog import load_schemas
from schemas.examples import examples_of
from streams.codec import Codec, MemoryRegistry
from streams.errors import Undecodable

NAMES = sorted(load_schemas())
CODEC = Codec(MemoryRegistry(), load_schemas())
GOOD = {name: CODEC.encode(name, examples_of(name).valid[0]) for name in NAMES}


def answers(value):
    try:
        name, record = CODEC.decode(value)
    except Undecodable as error:
        assert error.detail.endswith(".") and "\n" not in error.detail
        return
    assert name in NAMES and isinstance(record, dict)


@given(st.binary(max_size=200))
def test_any_bytes(value):
    answers(value)


@settings(max_examples=300)
@given(st.sampled_from(NAMES), st.binary(max_size=300))
def test_any_body_under_a_known_id(name, body):
    answers(GOOD[name][:5] + body)


@settings(max_examples=500, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(NAMES), st.data())
def test_bytes_changed_anywhere(name, data):
    value = bytearray(GOOD[name])
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(5, len(value) - 1))
        value[place] = data.draw(st.integers(0, 255))
    answers(bytes(value))


def varint(number):
    number = (number << 1) ^ (number >> 63)
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


@pytest.mark.parametrize("length", [2**31 - 1, 2**40, 2**62, 2**63 - 1, -1, -(2**40)])
@pytest.mark.parametrize("kind", ["string", "bytes", "array", "map"])
def test_absurd_lengths_cost_nothing(kind, length):
    types = {"array": {"type": "array", "items": "double"}, "map": {"type": "map", "values": "double"}}
    schema = {"type": "record", "name": "X", "fields": [{"name": "a", "type": types.get(kind, kind)}]}
    registry = MemoryRegistry()
    id = registry.id_of("X", schema)
    body = varint(length & (2**64 - 1) if length >= 0 else length) + b"\x02" * 1000
    tracemalloc.start()
    try:
        with pytest.raises(Undecodable):
            Codec(registry, {}).decode(struct.pack(">bI", 0, id) + body)
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()
