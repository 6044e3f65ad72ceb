"""Decodes and encodes log records in Confluent's wire format (0x00, 4-byte big-endian schema id, Avro body).

Records are plain dicts of Avro's primitive types. A timestamp is an int in milliseconds: logical types are stripped
before reading and writing, and kept in the registry."""

from collections.abc import Container, Mapping
from io import BytesIO
from struct import Struct
from typing import Any, NamedTuple, Protocol

from fastavro import parse_schema, schemaless_writer

from schemas.catalog import Decoded, Schema
from schemas.forms import strip_logical_types
from streams.avro.canonical import Content
from streams.avro.compiled_writer import Writer, compiled
from streams.avro.fitting import Fit, Unfit
from streams.avro.reading import BodyReading, one_line, reading_of, refused, shortened
from streams.errors import DeadReason, TidecastError, Undecodable

HEADER = Struct(">bI")
"""Magic byte 0 and schema id."""

WHOLE = ("int", "long", ["null", "int"], ["null", "long"])
NOT_WHOLE = frozenset({float, bool})
"""Integer types. The Avro library would silently write 1 for 1.5 and for True."""


class NotAvro(KeyError):
    """A schema id names a schema of another format. `str` is the format's name for people."""

    def __str__(self) -> str:
        return str(self.args[0])


class SchemaRegistry(Protocol):
    """Maps schema ids to schemas. Both methods raise Unavailable while the registry does not answer."""

    def schema(self, id: int) -> Schema:
        """Return the writer's schema of that id.

        Raises KeyError when there is certainly none, and NotAvro for another format."""
        ...

    def id_of(self, name: str, schema: Schema) -> int:
        """Return the id under which `schema` is registered for records called `name`."""
        ...


class MemoryRegistry:
    """A registry in memory, for tests and for replay without servers. Ids count from 1."""

    def __init__(self) -> None:
        self._schemas: dict[int, Schema] = {}

    def schema(self, id: int) -> Schema:
        """See SchemaRegistry."""
        return self._schemas[id]

    def id_of(self, name: str, schema: Schema) -> int:
        """Return the schema's id; register an unknown schema."""
        for id, known in self._schemas.items():
            if known == schema:
                return id
        id = len(self._schemas) + 1
        self._schemas[id] = schema
        return id


class _Writing(NamedTuple):
    """How records of one name are written. `integers`: the fields whose numbers must be whole."""

    header: bytes
    writer: Any
    integers: tuple[str, ...]
    fast: Writer


class Codec:
    """Encodes and decodes log records. Parsed schemas are cached per id and per name.

    registry: gives ids for schemas, and schemas for ids.
    schemas: our schemas by full name. Records are written by them, and records of a known name are resolved to them
    when read. Records of other names are read by their writer's schema."""

    def __init__(self, registry: SchemaRegistry, schemas: Mapping[str, Schema]) -> None:
        self._registry = registry
        self._schemas = dict(schemas)
        self._reading: dict[int, BodyReading] = {}
        self._writing: dict[str, _Writing] = {}
        self._unknown: dict[int, str] | None = None

    def begin_batch(self) -> None:
        """Start a batch of records that were all fetched before this call.

        A schema id that the registry does not know now was unknown when they were published, so that it is asked for
        once per batch. It is not remembered for longer, because its schema may be registered a moment later. Without
        this call the registry is asked every time."""
        self._unknown = {}

    def encode(self, name: str, record: Mapping[str, Any]) -> bytes:
        """Return the framed bytes of a record. Fields that have a default may be left out.

        Raises Undecodable(WRONG_TYPE), which names the field that does not fit, and Unavailable while the registry is
        away."""
        writing = self._writing.get(name) or self._learn_writing(name)
        try:
            return writing.header + writing.fast(record)
        except Exception:  # records that the compiled writer does not accept
            return _write(name, writing, record)

    def header(self, name: str) -> bytes:
        """Return the bytes before the body of records of that name. Raises Unavailable."""
        return (self._writing.get(name) or self._learn_writing(name)).header

    def content_of(self, value: bytes) -> Content | None:
        """Return how to tell the content of a record that was decoded before (streams.avro.canonical).

        Stages on other threads share the codec, so that it remembers nothing of the last record."""
        return self._reading[HEADER.unpack_from(value)[1]].content

    def decode(self, value: bytes | None, expected: Container[str] | None = None) -> tuple[str, Decoded]:
        """Return the full name and the record.

        Raises Undecodable for bytes that are not a readable record, and Unavailable while the registry is away; ids
        seen before are still read.

        expected: full names. The bodies of other records are not read, since a few bytes could become much."""
        if value is None:
            raise Undecodable(DeadReason.UNDECODABLE, "The record has no value; publish an Avro record.")
        if len(value) < 5 or value[0] != 0:
            raise Undecodable(
                DeadReason.UNDECODABLE,
                "The value is not registry-framed Avro (zero byte, 4-byte schema id); "
                "use a registry's Avro serialiser.",
            )
        id = HEADER.unpack_from(value)[1]
        reading = self._reading.get(id) or self._learn_reading(id)
        if reading.why is not None:
            raise Undecodable(DeadReason.UNKNOWN_SCHEMA, reading.why)
        if expected is not None and reading.name not in expected:
            raise Undecodable(
                DeadReason.UNKNOWN_SCHEMA,
                f"{shortened(reading.name)} is not an event of this use case: declare it and deploy, or stop sending "
                "it.",
            )
        if reading.fast is not None:
            read = reading.fast(value, 5)
            if read is not None:
                return reading.name, read
        try:
            record, end = reading.read(value)
        except Exception as error:
            raise Undecodable(
                DeadReason.UNDECODABLE,
                f"The body is not a {reading.name} of schema id {id}: {one_line(error)}; check the producer.",
            ) from error
        if end != len(value):
            raise Undecodable(
                DeadReason.UNDECODABLE,
                f"{len(value) - end} bytes are left after the {reading.name} of schema id {id}; "
                "check the producer's schema.",
            )
        return reading.name, record if reading.fit is None else _fitted(reading.fit, record)

    def _learn_writing(self, name: str) -> _Writing:
        schema = self._schemas.get(name)
        if schema is None:
            raise TidecastError(f"There is no schema named {name}; known are {', '.join(sorted(self._schemas))}.")
        id = self._registry.id_of(name, schema)
        plain = strip_logical_types(schema)
        writer = parse_schema(plain)
        integers = [field["name"] for field in writer["fields"] if field["type"] in WHOLE]
        writing = _Writing(HEADER.pack(0, id), writer, tuple(integers), compiled(plain))
        self._writing[name] = writing
        return writing

    def _learn_reading(self, id: int) -> BodyReading:
        unknown = self._unknown
        if unknown is not None and id in unknown:
            raise Undecodable(DeadReason.UNKNOWN_SCHEMA, unknown[id])
        try:
            reading = reading_of(id, self._registry.schema(id), self._schemas)
        except NotAvro as other:
            why = f"Schema id {id} is {other}; Tidecast reads Avro: publish the record with an Avro serialiser."
            reading = refused("", why)
        except KeyError as error:
            why = f"The registry has no schema with id {id}; register the schema and publish the record again."
            if unknown is not None:
                unknown[id] = why
            raise Undecodable(DeadReason.UNKNOWN_SCHEMA, why) from error
        self._reading[id] = reading
        return reading


def _fitted(fit: Fit, record: Decoded) -> Decoded:
    """Return the record as one of our schema; Undecodable names the field and value that do not fit."""
    try:
        return fit(record)
    except Unfit as unfit:
        raise Undecodable(
            DeadReason.WRONG_TYPE, f"{unfit}: correct the producer, or deploy a schema that has it and requeue."
        ) from None


def _write(name: str, writing: _Writing, record: Mapping[str, Any]) -> bytes:
    """Write by the Avro library, which fills in defaults and reports what does not fit."""
    out = BytesIO()
    out.write(writing.header)
    try:
        for field in writing.integers:
            if record.get(field).__class__ in NOT_WHOLE:
                raise TypeError(f"{record[field]!r} is not an integer, in field {field}")
        schemaless_writer(out, writing.writer, record, strict_allow_default=True)
    except Exception as error:
        raise Undecodable(
            DeadReason.WRONG_TYPE,
            f"The record does not fit the schema {name}: {one_line(error)}; correct it.",
        ) from error
    return out.getvalue()
