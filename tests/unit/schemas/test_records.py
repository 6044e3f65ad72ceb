"""Typed records: what a producer writes is what a consumer reads."""

import dataclasses

import pytest

from schemas import records
from schemas.catalog import load_schemas
from schemas.examples import examples_of
from streams.avro.codec import Codec, MemoryRegistry


def typed(cls, plain):
    """A typed record from a plain one (top level; nested parts stay plain)."""
    return cls(**plain)


@pytest.mark.parametrize("name", sorted(load_schemas()))
def test_a_typed_record_is_written_like_the_plain_one(name):
    cls = getattr(records, name.rpartition(".")[2])
    assert name == cls.AVRO_NAME
    codec = Codec(MemoryRegistry(), load_schemas())
    for plain in examples_of(name).valid:
        assert codec.encode(name, typed(cls, plain).to_dict()) == codec.encode(name, plain)


def test_nested_records_and_sequences_become_plain():
    coordinate = records.Coordinate(topic="t", epoch=1, partition=0, offset=2, ordinal=0)
    progress = records.Progress(watermark=1, tick=2, opened={"churn": 1}, settled={}, source=coordinate)
    assert progress.to_dict()["source"] == {
        "topic": "t", "epoch": 1, "partition": 0, "offset": 2, "ordinal": 0
    }  # fmt: skip
    with pytest.raises(dataclasses.FrozenInstanceError):
        progress.tick = 3
    with pytest.raises(TypeError):
        records.Tick(time=1)
