"""How the bodies of one schema id are read: whole, or with the parts that we have, fitted into our schema."""

from collections.abc import Callable, Mapping
from io import BytesIO
from typing import Any, NamedTuple

from fastavro import parse_schema, schemaless_reader

from schemas.catalog import Decoded, Schema, full_name
from schemas.compatibility import problems
from schemas.forms import strip_logical_types, unsafe_reason
from schemas.possible import obstacles
from streams.avro.bounds_check import Walk, walk_of
from streams.avro.canonical import START, Content, content_by
from streams.avro.fitting import Fit, fitting
from streams.kernels import kernel


class BodyReading(NamedTuple):
    """How bodies of one schema id are read.

    why: why they cannot be. fast: the kernel's reader. part: the library's reader schema.
    walk: checks what is skipped. fit: makes it a record of our schema. content: what is compared, if not its
    bytes."""

    name: str
    writer: Any
    why: str | None = None
    fast: Callable[[bytes, int], Decoded | None] | None = None
    part: Any = None
    walk: Walk | None = None
    fit: Fit | None = None
    content: Content | None = None

    def read(self, value: bytes) -> tuple[Decoded, int]:
        """Return the record as its writer has it, and where its body ends. Raises what the library raises."""
        body = BytesIO(value)
        body.seek(START)
        if self.walk is not None:
            self.walk(value, START)
        return schemaless_reader(body, self.writer, self.part), body.tell()


def refused(name: str, why: str) -> BodyReading:
    """Return the reading of a schema whose records are not read."""
    return BodyReading(name, None, why)


def reading_of(id: int, schema: Schema, schemas: Mapping[str, Schema]) -> BodyReading:
    """Return how bodies of a writer's schema are read. `schemas`: ours by full name."""
    fault = unsafe_reason(schema)
    if fault is not None:
        return refused("", f"Schema id {id} is not accepted: {fault}")
    name = full_name(schema)
    try:
        writer = parse_schema(strip_logical_types(schema))
        ours = schemas.get(name)
        return (
            BodyReading(name, writer, fast=_fast_reader(writer))
            if ours is None
            else _by_ours(name, writer, schema, ours)
        )
    except Obstacle as obstacle:
        return refused(name, f"Schema id {id} of {name} cannot be read here: {obstacle}")
    except Exception as error:  # strangers write schemas, also some that are too deep
        return refused(name, f"Schema id {id} is not a valid Avro schema: {one_line(error)}.")


class Obstacle(Exception):
    """No record of a writer's schema can be one of ours."""


def _by_ours(name: str, writer: Any, schema: Schema, ours: Schema) -> BodyReading:
    """Return the reading into our schema. `writer`: the writer's schema as the library has parsed it."""
    own = strip_logical_types(ours)
    reader = parse_schema(own)
    by_name = _has_records_to_tell_apart(writer) or _has_records_to_tell_apart(reader)
    for found in problems(ours, schema) if by_name else obstacles(ours, schema):
        raise Obstacle(found)
    if own == strip_logical_types(schema):
        return BodyReading(name, writer, fast=_fast_reader(writer), content=content_by(ours, written_by_it=True))
    walk, content = walk_of(writer) if _repeats(writer) else None, content_by(ours, written_by_it=False)
    if by_name:
        return BodyReading(name, writer, part=reader, walk=walk, content=content)
    return BodyReading(name, writer, part=_without_unread(writer, own), walk=walk, fit=fitting(reader), content=content)


def one_line(error: Exception) -> str:
    """Return an error of the Avro library in one line. The library gives no message when the bytes end too early."""
    if isinstance(error, EOFError):
        return "it ends too early"
    return shortened(" ".join(str(error).split()) or type(error).__name__)


def shortened(text: str) -> str:
    """Return at most 200 characters of a text."""
    return text if len(text) <= 200 else text[:200] + "…"


def _without_unread(writer: Any, ours: Schema) -> Any:
    """Return the writer's schema with the fields that ours reads, so that the library skips the others."""
    names = {name for field in ours["fields"] for name in (field["name"], *field.get("aliases", ()))}
    fields = [field for field in writer["fields"] if field["name"] in names]
    return parse_schema(_declared({**writer, "fields": fields}, dict(writer["__named_schemas"])))


def _declared(schema: Any, named: dict[str, Any]) -> Any:
    """Return the schema with each named type declared where it is used first. Takes the types from `named`."""
    if isinstance(schema, list):
        return [_declared(branch, named) for branch in schema]
    if isinstance(schema, str):
        return _declared(named[schema], named) if schema in named else schema
    if "name" in schema and named.pop(schema["name"], None) is None:
        return schema["name"]
    kept = {key: value for key, value in schema.items() if not key.startswith("__")}
    if "fields" in kept:
        kept["fields"] = [{**field, "type": _declared(field["type"], named)} for field in kept["fields"]]
    for key in ("type", "items", "values"):
        if isinstance(kept.get(key), dict | list) or (key != "type" and key in kept):
            kept[key] = _declared(kept[key], named)
    return kept


def _fast_reader(writer: Any) -> Callable[[bytes, int], Decoded | None] | None:
    """Return the kernel's reader of such bodies; None without kernels, or for a schema that it does not support."""
    found = kernel("bodies")
    try:
        return found.BodyReader(writer).read if found is not None else None
    except KeyError:
        return None


def _has_records_to_tell_apart(parsed: Any) -> bool:
    """Return whether a union has several records: a value does not show which one it is, so that schemas decide."""
    named = parsed["__named_schemas"]

    def has(schema: Any) -> bool:
        if isinstance(schema, dict):
            return any(map(has, schema.values()))
        if not isinstance(schema, list):
            return False
        kinds = [named.get(part, part) if isinstance(part, str) else part for part in schema]
        records = [kind for kind in kinds if isinstance(kind, dict) and kind.get("type") == "record"]
        return len(records) > 1 or any(map(has, schema))

    return has({key: value for key, value in parsed.items() if not key.startswith("__")})


def _repeats(schema: Any) -> bool:
    """Return whether a schema has an array or a map anywhere."""
    if isinstance(schema, dict):
        return schema.get("type") in ("array", "map") or any(map(_repeats, schema.values()))
    return isinstance(schema, list) and any(map(_repeats, schema))
