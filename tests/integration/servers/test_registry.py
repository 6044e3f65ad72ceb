"""The HTTP registry client against a real registry."""

import copy
import socket

import httpx2
import pytest

from agents.kafka.schema_registry import HttpRegistry, SchemaConflict
from agents.settings import load_settings
from schemas.catalog import load_schemas
from streams.avro.codec import HEADER, Codec
from streams.errors import TidecastError, Unavailable, Undecodable

pytestmark = pytest.mark.integration

TICK = load_schemas()["tidecast.Tick"]


@pytest.fixture
def settings(stack, monkeypatch):
    monkeypatch.setenv("TIDECAST_DATA", str(stack.folder))
    return load_settings()


@pytest.fixture
def registry(settings):
    with HttpRegistry(settings) as registry:
        yield registry


def named(name):
    return {**copy.deepcopy(TICK), "name": name, "namespace": "test_registry"}


def with_field(schema, **field):
    return {**schema, "fields": [*schema["fields"], field]}


def test_a_schema_is_found_again_by_its_id(registry, settings):
    schema = named("Found")
    id = registry.register("test_registry.Found", schema)
    assert registry.register("test_registry.Found", schema) == id
    with HttpRegistry(settings) as other:
        assert other.schema(id) == schema
        assert other.id_of("test_registry.Found", schema) == id


def test_what_one_codec_writes_another_reads(registry, settings):
    registry.register("test_registry.Both", named("Both"))
    schemas = {"test_registry.Both": named("Both")}
    value = Codec(registry, schemas).encode("test_registry.Both", {"time": 7, "writer": "me"})
    with HttpRegistry(settings) as other:
        read = Codec(other, {}).decode(value)
    assert read == ("test_registry.Both", {"time": 7, "writer": "me", "signature": None, "gap": None})


def test_a_worker_does_not_register(registry):
    with pytest.raises(TidecastError, match="run `tidecast deploy`"):
        registry.id_of("test_registry.Never", named("Never"))
    assert registry.versions("test_registry.Never") == []


def test_an_unknown_id(registry):
    registry.register("tidecast.Tick", TICK)  # as `tidecast deploy` does
    for _ in range(2):
        with pytest.raises(KeyError):
            registry.schema(2**31 - 1)


def test_the_registry_itself_refuses_what_readers_cannot_follow(registry):
    schema = named("Kept")
    registry.register("test_registry.Kept", schema)
    registry.require("test_registry.Kept")
    with pytest.raises(SchemaConflict, match=r"test_registry\.Kept cannot replace"):
        registry.register("test_registry.Kept", with_field(schema, name="more", type="long"))
    newer = with_field(schema, name="more", type="long", default=0)
    registry.register("test_registry.Kept", newer)
    assert registry.versions("test_registry.Kept") == [schema, newer]


GRADE = {"type": "enum", "name": "Grade", "symbols": ["A", "B"]}


def test_a_grown_schema_is_adopted_and_the_guard_stays(registry):
    """The level that keeps producers from changing a schema would refuse it: old readers do not know the symbol."""
    before = with_field(named("Grown"), name="grade", type=GRADE)
    after = with_field(named("Grown"), name="grade", type={**GRADE, "symbols": ["A", "B", "C"]})
    id = registry.adopt("test_registry.Grown", before)
    registry.require("test_registry.Grown")
    with pytest.raises(SchemaConflict):
        registry.register("test_registry.Grown", after)
    assert registry.adopt("test_registry.Grown", after) != id
    assert registry.versions("test_registry.Grown") == [before, after]
    with pytest.raises(SchemaConflict):
        registry.register("test_registry.Grown", with_field(after, name="more", type="long"))
    with pytest.raises(SchemaConflict):
        registry.adopt("test_registry.Grown", with_field(after, name="more", type="long"))


@pytest.mark.parametrize(
    ("kind", "text", "name"),
    [
        ("JSON", '{"$schema": "http://json-schema.org/draft-07/schema#", "type": "object"}', "JSON Schema"),
        ("PROTOBUF", 'syntax = "proto3"; message Buy { string id = 1; }', "Protobuf"),
    ],
)
def test_the_format_of_a_foreign_schema_is_named(registry, settings, kind, text, name):
    registry.register("tidecast.Tick", TICK)  # as `tidecast deploy` does
    subject = f"{settings.registry}/subjects/test_registry.{kind}/versions"
    answer = httpx2.post(subject, json={"schema": text, "schemaType": kind})
    assert answer.is_success, answer.text
    id = answer.json()["id"]
    with pytest.raises(Undecodable, match=f"Schema id {id} is {name}; Tidecast reads Avro"):
        Codec(registry, {}).decode(HEADER.pack(0, id) + b"{}")


def test_a_registry_that_is_away(settings):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    away = settings.model_copy(update={"registry": address})
    with HttpRegistry(away) as registry, pytest.raises(Unavailable, match="does not answer") as caught:
        registry.schema(1)
    assert "TIDECAST_REGISTRY" in str(caught.value)


def test_an_address_that_is_no_registry(settings):
    wrong = settings.model_copy(update={"registry": settings.registry.replace("/apis/ccompat/v7", "")})
    with HttpRegistry(wrong) as registry:
        with pytest.raises(TidecastError, match="TIDECAST_REGISTRY"):
            registry.register("test_registry.Wrong", named("Wrong"))
        with pytest.raises(Unavailable, match="TIDECAST_REGISTRY"):
            registry.schema(1)
