"""What is valid in a use case and will hurt later. `tidecast check` shows it; it stops nothing."""

from collections.abc import Iterator
from typing import Any

from streams.features.fields import Problem
from streams.usecases.declaration import UseCase

NARROW = {
    "int": "whole numbers beyond 2,147,483,647 become dead letters; write long, which takes no more bytes.",
    "float": "a producer's double with more digits becomes a dead letter; write double.",
}


def event_cautions(use_case: UseCase) -> list[Problem]:
    """Return what a producer's schema cannot grow into without dead letters, each with its remedy.

    The use case must be valid (`check`)."""
    return [
        Problem(f"event {short}", name, text)
        for short, schema in use_case.events.items()
        for name, text in _fields(schema, "")
    ]


def _fields(schema: Any, inside: str) -> Iterator[tuple[str, str]]:
    for field in schema["fields"]:
        yield from _type(field["type"], f"{inside}{field['name']}")


def _type(schema: Any, name: str) -> Iterator[tuple[str, str]]:
    if isinstance(schema, list):
        if "null" not in schema and len(schema) > 1:
            yield name, "a record without a value there becomes a dead letter; add null to the types."
        for branch in schema:
            yield from _type(branch, name)
        return
    kind = schema["type"] if isinstance(schema, dict) else schema
    if kind in NARROW:
        yield name, NARROW[kind]
    elif kind == "enum" and "default" not in schema:
        yield (
            name,
            (
                "a record with a symbol that a producer adds becomes a dead letter until it is deployed; give it a "
                'default, such as "UNKNOWN".'
            ),
        )
    elif kind == "record":
        yield from _fields(schema, f"{name}.")
    elif kind in ("array", "map"):
        yield from _type(schema["items" if kind == "array" else "values"], f"{name}[]")
    elif isinstance(kind, dict | list):
        yield from _type(kind, name)
