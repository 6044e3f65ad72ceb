"""The Avro schemas of this tree, read from their `.avsc` files."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

Schema = dict[str, Any]
"""An Avro record schema as parsed JSON."""

Event = Mapping[str, Any]
"""An event of a use case: which fields it has beside `event_id`, `customer_id` and `occurred_at` its schema says."""

Decoded = Any
"""A decoded record: a dict with the fields of its schema. Whoever knows its name hands it to a function that takes the
type of that name (schemas.records), or an Event: it is no other object then."""

FOLDER = Path(__file__).parent / "avsc"


def full_name(schema: Schema) -> str:
    """`namespace.name` of a record schema, as the Avro specification builds it."""
    name = str(schema["name"])
    namespace = schema.get("namespace", "")
    return name if "." in name or not namespace else f"{namespace}.{name}"


def load_file(path: Path) -> Schema:
    """One `.avsc` file that holds a record; ValueError in one sentence that names the file."""
    try:
        schema = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path.name} is not JSON: {error}; correct the file.") from error
    if not isinstance(schema, dict) or schema.get("type") != "record" or "name" not in schema:
        raise ValueError(f"{path.name} holds no Avro record: its top level needs type 'record' and a name.")
    return schema


def load_folder(path: str | Path) -> dict[str, Schema]:
    """All `*.avsc` of a folder by full name, in file order; ValueError for a bad file or name used twice."""
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
    """All schemas of Tidecast's own records by full name; read once, not to be changed by callers."""
    return load_folder(FOLDER)
