"""The wire format, the resolution of older and newer writer schemas, and refused inputs."""

import copy
import struct

import pytest

from schemas.catalog import load_schemas
from streams.avro.codec import Codec, MemoryRegistry, NotAvro
from streams.errors import DeadReason, TidecastError, Unavailable, Undecodable

CALL = {
    "type": "record",
    "name": "Call",
    "namespace": "telecom",
    "fields": [
        {"name": "event_id", "type": "string"},
        {"name": "occurred_at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "seconds", "type": "long"},
        {"name": "source", "type": "string", "default": ""},
    ],
}
RECORD = {"event_id": "e1", "occurred_at": 1_700_000_000_000, "seconds": 60, "source": "pbx"}


def changed(schema, **by_field):
    """Return the schema with fields replaced (dict), removed (None) or added."""
    new = copy.deepcopy(schema)
    kept = [field for field in new["fields"] if by_field.get(field["name"], field) is not None]
    new["fields"] = [by_field.get(field["name"], field) for field in kept]
    known = {field["name"] for field in new["fields"]}
    new["fields"] += [field for name, field in by_field.items() if field and name not in known]
    return new


def reads(writer, record, reader=CALL):
    registry = MemoryRegistry()
    value = Codec(registry, {"telecom.Call": writer}).encode("telecom.Call", record)
    return Codec(registry, {"telecom.Call": reader} if reader else {}).decode(value)


def refused(call):
    with pytest.raises(Undecodable) as caught:
        call()
    assert caught.value.detail.endswith(".")
    return caught.value


def test_the_wire_format_is_confluents():
    registry = MemoryRegistry()
    registry.id_of("other", {"type": "string"})
    value = Codec(registry, load_schemas()).encode("tidecast.Tick", {"time": 1, "writer": "a"})
    assert value == struct.pack(">bI", 0, 2) + b"\x02" + b"\x02a" + b"\x00" + b"\x00"


def test_timestamps_are_integers_and_defaults_are_filled_in():
    assert reads(CALL, {"event_id": "e1", "occurred_at": 5, "seconds": 60}) == (
        "telecom.Call",
        {"event_id": "e1", "occurred_at": 5, "seconds": 60, "source": ""},
    )


def test_an_old_writer_is_read_by_the_new_schema():
    new = changed(CALL, roaming={"name": "roaming", "type": "boolean", "default": False})
    assert reads(CALL, RECORD, reader=new)[1] == {**RECORD, "roaming": False}


def test_a_new_writer_is_read_by_the_old_schema():
    new = changed(CALL, roaming={"name": "roaming", "type": "boolean", "default": False})
    assert reads(new, {**RECORD, "roaming": True})[1] == RECORD


def test_an_int_is_promoted():
    old = changed(CALL, seconds={"name": "seconds", "type": "int"})
    assert reads(old, RECORD)[1] == RECORD


def test_an_unknown_record_is_read_by_its_writers_schema():
    assert reads(CALL, RECORD, reader=None) == ("telecom.Call", RECORD)


@pytest.mark.parametrize(
    ("writer", "word"),
    [
        (changed(CALL, seconds={"name": "seconds", "type": "string"}), "string cannot be read as long"),
        (changed(CALL, seconds=None), "lacks the field"),
        (
            changed(
                CALL,
                occurred_at={
                    "name": "occurred_at",
                    "type": {"type": "long", "logicalType": "timestamp-micros"},
                },
            ),
            "timestamp-micros would be taken for timestamp-millis",
        ),
    ],
)
def test_a_writer_we_cannot_follow_is_an_unknown_schema(writer, word):
    record = {**RECORD, "seconds": "60"} if word.startswith("string") else RECORD
    record = {name: record[name] for name in (field["name"] for field in writer["fields"])}
    error = refused(lambda: reads(writer, record))
    assert error.reason == DeadReason.UNKNOWN_SCHEMA
    assert word in error.detail


@pytest.mark.parametrize("value", [None, b"", b"\x00", b"\x00\x00\x00\x00", b"\x01\x00\x00\x00\x01x", b'{"a": 1}'])
def test_unframed_bytes(value):
    codec = Codec(MemoryRegistry(), {})
    assert refused(lambda: codec.decode(value)).reason == DeadReason.UNDECODABLE


def test_an_unknown_id_is_asked_for_again():
    registry = MemoryRegistry()
    codec = Codec(registry, {})
    value = Codec(MemoryRegistry(), {"telecom.Call": CALL}).encode("telecom.Call", RECORD)
    assert refused(lambda: codec.decode(value)).reason == DeadReason.UNKNOWN_SCHEMA
    registry.id_of("telecom.Call", CALL)
    assert codec.decode(value) == ("telecom.Call", RECORD)


class Counting(MemoryRegistry):
    asked = 0

    def schema(self, id):
        self.asked += 1
        return super().schema(id)


def test_within_a_batch_an_unknown_id_is_asked_for_once():
    registry = Counting()
    codec = Codec(registry, {})
    value = Codec(MemoryRegistry(), {"telecom.Call": CALL}).encode("telecom.Call", RECORD)
    for batch in (1, 2):
        codec.begin_batch()
        for _ in range(3):
            assert refused(lambda: codec.decode(value)).reason == DeadReason.UNKNOWN_SCHEMA
        assert registry.asked == batch
    registry.id_of("telecom.Call", CALL)
    codec.begin_batch()
    assert codec.decode(value) == ("telecom.Call", RECORD)


def test_trailing_bytes_and_cut_bytes():
    registry = MemoryRegistry()
    codec = Codec(registry, {"telecom.Call": CALL})
    value = codec.encode("telecom.Call", RECORD)
    error = refused(lambda: codec.decode(value + b"\x00\x00"))
    assert error.reason == DeadReason.UNDECODABLE
    assert "2 bytes are left" in error.detail
    for end in range(5, len(value)):
        assert refused(lambda end=end: codec.decode(value[:end])).reason == DeadReason.UNDECODABLE


@pytest.mark.parametrize(
    ("record", "word"),
    [
        ({**RECORD, "seconds": "60"}, "seconds"),
        ({**RECORD, "seconds": 1.5}, "seconds"),
        ({**RECORD, "seconds": None}, "seconds"),
        ({**RECORD, "seconds": True}, "seconds"),
        ({**RECORD, "seconds": 2**63}, "Call"),
        ({**RECORD, "second": 60}, "second"),
        ({"event_id": "e1", "occurred_at": 1}, "seconds"),
        ({**RECORD, "event_id": "\ud800"}, "surrogates"),
        (["no", "record"], "Call"),
        (None, "Call"),
    ],
)
def test_records_that_do_not_fit_are_not_written(record, word):
    codec = Codec(MemoryRegistry(), {"telecom.Call": CALL})
    error = refused(lambda: codec.encode("telecom.Call", record))
    assert error.reason == DeadReason.WRONG_TYPE
    assert word in error.detail


def test_an_unknown_name_cannot_be_written():
    with pytest.raises(TidecastError, match=r"no schema named telecom\.Text"):
        Codec(MemoryRegistry(), {"telecom.Call": CALL}).encode("telecom.Text", {})


def record_of(**types):
    return {
        "type": "record",
        "name": "X",
        "fields": [{"name": name, "type": kind} for name, kind in types.items()],
    }


EMPTY = {"type": "record", "name": "E", "fields": []}


@pytest.mark.parametrize(
    ("schema", "word"),
    [
        ("string", "not a record"),
        (record_of(next=["null", "X"]), "contains itself"),
        (record_of(many={"type": "array", "items": "null"}), "no bytes"),
        (record_of(many={"type": "array", "items": EMPTY}), "no bytes"),
        (record_of(a=["null", "Nowhere"]), "not declare"),
        ({"type": "record", "name": "X"}, "not a valid"),
        ({"type": "record", "name": "X", "fields": [{"name": "a", "type": "array"}]}, "not"),
        ({"type": "record", "name": "X Y", "fields": [{"name": "a", "type": []}]}, "not a valid"),
    ],
)
def test_dangerous_or_broken_writer_schemas_are_refused(schema, word):
    registry = MemoryRegistry()
    id = registry.id_of("X", schema)
    error = refused(lambda: Codec(registry, {}).decode(struct.pack(">bI", 0, id) + b"\x02" * 100_000))
    assert error.reason == DeadReason.UNKNOWN_SCHEMA
    assert word in error.detail


def test_doubling_records_are_refused():
    """A few kilobytes of schema could produce 2^40 empty records from no bytes. The codec refuses it."""
    inner = EMPTY
    for level in range(40):
        name = f"L{level}"
        inner = {
            "type": "record",
            "name": name,
            "fields": [{"name": "a", "type": inner}, {"name": "b", "type": inner["name"]}],
        }
    registry = MemoryRegistry()
    id = registry.id_of("X", inner)
    error = refused(lambda: Codec(registry, {}).decode(struct.pack(">bI", 0, id)))
    assert error.reason == DeadReason.UNKNOWN_SCHEMA


class Away(MemoryRegistry):
    def schema(self, id):
        raise Unavailable("The registry is away.")


def test_an_absent_registry_is_not_a_dead_letter():
    with pytest.raises(Unavailable):
        Codec(Away(), {}).decode(b"\x00\x00\x00\x00\x01a")


class Foreign(MemoryRegistry):
    asked = 0

    def schema(self, id):
        self.asked += 1
        raise NotAvro("JSON Schema")


def test_a_schema_of_another_format_is_named():
    registry = Foreign()
    codec = Codec(registry, {})
    for _ in range(2):
        error = refused(lambda: codec.decode(b"\x00\x00\x00\x00\x11{}"))
        assert error.reason == DeadReason.UNKNOWN_SCHEMA
        assert error.detail.startswith("Schema id 17 is JSON Schema; Tidecast reads Avro")
    assert registry.asked == 1, "the format of an id never changes"
