"""Writes out the types that an Avro schema names."""

from typing import Any

from schemas.catalog import full_name

NAMED = frozenset({"record", "enum", "fixed"})


def expanded(schema: Any) -> Any:
    """Return the schema with each reference to a named type replaced by its declaration.

    Types that contain themselves are refused at deploy."""
    return _expanded(schema, "", {})


def _expanded(schema: Any, namespace: str, known: dict[str, Any]) -> Any:
    if isinstance(schema, list):
        return [_expanded(branch, namespace, known) for branch in schema]
    if isinstance(schema, str):
        return known.get(f"{namespace}.{schema}") or known.get(schema) or schema
    kind = schema["type"]
    if not isinstance(kind, str) or kind in known or f"{namespace}.{kind}" in known:
        return _expanded(kind, namespace, known)
    found = dict(schema)
    for key in ("items", "values"):
        if key in found:
            found[key] = _expanded(found[key], namespace, known)
    if kind not in NAMED:
        return found
    name = full_name({"namespace": namespace, **found})
    if kind == "record":
        inside = name.rpartition(".")[0]
        found["fields"] = [{**field, "type": _expanded(field["type"], inside, known)} for field in found["fields"]]
    known[name] = found
    return found
