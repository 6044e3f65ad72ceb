"""Reduces an Avro schema to what decides the bytes, and checks whether reading by it is safe."""

from typing import Any, NamedTuple

from schemas.catalog import Schema, full_name

KEPT = ("type", "name", "namespace", "fields", "symbols", "items", "values", "size", "default", "aliases")
PRIMITIVE = frozenset({"null", "boolean", "int", "long", "float", "double", "bytes", "string"})


def strip_logical_types(schema: Any) -> Any:
    """Return the schema without docs and logical types. Defaults and aliases stay."""
    if isinstance(schema, list):
        return [strip_logical_types(branch) for branch in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {key: schema[key] for key in KEPT if key in schema}
    for key in ("type", "items", "values"):
        if key in kept:
            kept[key] = strip_logical_types(kept[key])
    if "fields" in kept:
        kept["fields"] = [strip_logical_types(field) for field in kept["fields"]]
    if set(kept) == {"type"}:
        return kept["type"]
    return kept


class Cost(NamedTuple):
    """What a value of a type costs a reader: the fewest bytes, and the values made without reading a byte."""

    size: int
    free: int


MOST_FREE = 10_000
"""The maximum number of values that a record may make of no bytes."""
MOST_FREE_PER_BYTE = 2
"""The same for the items of an array or map, per byte of an item."""


class _Refused(Exception):
    pass


def unsafe_reason(schema: Any) -> str | None:
    """Return why records of a foreign writer's schema must not be read; None when they may be.

    A few bytes of a recursive schema overflow the reader's stack. A few bytes of a schema whose array items take no
    bytes make the reader loop for ever. Both are refused."""
    if not isinstance(schema, dict) or schema.get("type") != "record":
        return "its top level is not a record; publish records."
    try:
        cost = _Costs().of(schema, "")
    except _Refused as refused:
        return str(refused)
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
        return "it is not a valid Avro schema; register it again."
    return None if cost.free <= MOST_FREE else "it has too many fields that take no bytes; leave them out."


class _Costs:
    """Walks a schema and visits each named type once."""

    def __init__(self) -> None:
        self._known: dict[str, Cost] = {}
        self._open: list[str] = []

    def of(self, schema: Any, namespace: str) -> Cost:
        if isinstance(schema, list):
            branches = [self.of(branch, namespace) for branch in schema]
            return Cost(1 + min(cost.size for cost in branches), max(cost.free for cost in branches))
        if isinstance(schema, str):
            return self._named(schema, namespace)
        kind = schema["type"]
        if kind in ("record", "enum", "fixed"):
            return self._declared(schema, namespace)
        if kind in ("array", "map"):
            item = self.of(schema["items" if kind == "array" else "values"], namespace)
            size = item.size + (kind == "map")
            if item.free > MOST_FREE_PER_BYTE * size:
                raise _Refused("it has an array or map whose items take no bytes; give the items a field.")
            return Cost(1, 0)
        return self.of(kind, namespace)

    def _declared(self, schema: Schema, namespace: str) -> Cost:
        name = full_name({"namespace": namespace, **schema})
        if schema["type"] == "record":
            self._open.append(name)
            fields = [self.of(field["type"], name.rpartition(".")[0]) for field in schema["fields"]]
            self._open.pop()
            cost = Cost(sum(field.size for field in fields), 1 + sum(field.free for field in fields))
        else:
            cost = Cost(1, 0) if schema["type"] == "enum" else Cost(int(schema["size"]), 1)
        self._known[name] = cost
        return cost

    def _named(self, name: str, namespace: str) -> Cost:
        if name in PRIMITIVE:
            return Cost(0, 1) if name == "null" else Cost({"float": 4, "double": 8}.get(name, 1), 0)
        for candidate in (f"{namespace}.{name}", name):
            if candidate in self._open:
                raise _Refused(f"its type {candidate} contains itself; use an array instead.")
            if candidate in self._known:
                return self._known[candidate]
        raise _Refused(f"it uses the type {name}, which it does not declare; declare it in the schema.")
