"""The .avsc files are documented, are in their history, and have valid and invalid examples."""

from pathlib import Path

import pytest
from fastavro import parse_schema

from schemas.catalog import full_name, load_folder, load_schemas
from schemas.compatibility import change_problems
from schemas.examples import examples_of
from schemas.forms import strip_logical_types, unsafe_reason
from schemas.history import all_schemas, versions
from schemas.topics import CUSTOMER_EVENTS, TOPICS
from streams.avro.codec import Codec, MemoryRegistry
from streams.errors import DeadReason, Undecodable

NAMES = sorted(load_schemas())


def fields(schema):
    """Yield all fields of a schema, including nested ones."""
    if isinstance(schema, list):
        for branch in schema:
            yield from fields(branch)
    elif isinstance(schema, dict):
        for field in schema.get("fields", ()):
            yield field
            yield from fields(field["type"])
        for key in ("type", "items", "values"):
            yield from fields(schema.get(key))


@pytest.mark.parametrize("name", NAMES)
def test_every_record_and_field_is_documented(name):
    schema = load_schemas()[name]
    assert schema["doc"].endswith(".")
    undocumented = [field["name"] for field in fields(schema) if not field.get("doc", "").endswith(".")]
    assert undocumented == []
    assert unsafe_reason(schema) is None
    parse_schema(schema)


@pytest.mark.parametrize("name", sorted(all_schemas()))
def test_no_version_ever_written_is_broken(name):
    schema = all_schemas()[name]
    kept = versions(name)
    assert kept and strip_logical_types(kept[-1]) == strip_logical_types(schema), "run `python -m schemas.history`"
    for old in kept:
        assert change_problems(schema, old) == []


@pytest.mark.parametrize("name", NAMES)
def test_examples(name):
    codec = Codec(MemoryRegistry(), load_schemas())
    examples = examples_of(name)
    assert examples.valid and examples.invalid
    for record in examples.valid:
        assert codec.decode(codec.encode(name, record)) == (name, record)
    for why, record in examples.invalid:
        with pytest.raises(Undecodable) as caught:
            codec.encode(name, record)
            pytest.fail(f"accepted although {why}")
        assert caught.value.reason == DeadReason.WRONG_TYPE


def test_every_record_lies_on_a_topic():
    used = {name for topic in TOPICS.values() for name in topic.records}
    assert used == set(load_schemas())
    assert {topic.name for topic in TOPICS.values() if topic.partitions is None} >= {CUSTOMER_EVENTS}


def test_a_folder_with_a_bad_file_says_which(tmp_path: Path):
    (tmp_path / "call.avsc").write_text("{")
    with pytest.raises(ValueError, match=r"call\.avsc is not JSON"):
        load_folder(tmp_path)
    (tmp_path / "call.avsc").write_text('"string"')
    with pytest.raises(ValueError, match=r"call\.avsc is not an Avro record"):
        load_folder(tmp_path)


def test_full_names():
    assert full_name({"name": "Call", "namespace": "telecom"}) == "telecom.Call"
    assert full_name({"name": "a.Call", "namespace": "telecom"}) == "a.Call"
    assert full_name({"name": "Call"}) == "Call"
