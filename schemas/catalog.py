"""Reads the Avro schemas of this tree from their `.avsc` files."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

Schema = dict[str, Any]
"""An Avro record schema as parsed JSON."""

Event = Mapping[str, Any]
"""An event of a use case: `event_id`, `customer_id`, `occurred_at`, and the fields of its schema."""

Decoded = Any
"""A decoded record: a dict with the fields of its schema. Code that knows its name passes it on as the type of that
name (schemas.records) or as an Event. The object stays the same."""

FOLDER = Path(__file__).parent / "avsc"


def full_name(schema: Schema) -> str:
    """Return `namespace.name` of a record schema, as the Avro specification defines it."""
    name = str(schema["name"])
    namespace = schema.get("namespace", "")
    return name if "." in name or not namespace else f"{namespace}.{name}"


def load_file(path: Path) -> Schema:
    """Read an `.avsc` file that holds a record. Raises ValueError, which names the file and what is wrong."""
    try:
        schema = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path.name} is not JSON: {error}; correct the file.") from error
    if not isinstance(schema, dict) or schema.get("type") != "record" or "name" not in schema:
        raise ValueError(f"{path.name} is not an Avro record: its top level needs type 'record' and a name.")
    return schema


def load_folder(path: str | Path) -> dict[str, Schema]:
    """Read all `*.avsc` of a folder by full name, in file order. Raises ValueError for a bad file or a name used
    twice."""
    schemas: dict[str, Schema] = {}
    for file in sorted(Path(path).glob("*.avsc")):
        schema = load_file(file)
        name = full_name(schema)
        if name in schemas:
            raise ValueError(f"{file.name} declares {name}, as another file of the folder does; rename one.")
        schemas[name] = schema
    return schemas


@cache
def load_schemas() -> dict[str, Schema]:
    """Return all schemas of Tidecast's own records by full name. Read once; callers must not change them."""
    return load_folder(FOLDER)
