"""Valid and invalid records per schema, as JSON; bytes are written as {"hex": "00ff"}."""

import json
from pathlib import Path
from typing import Any, NamedTuple


class Examples(NamedTuple):
    """Records that fit a schema, and (why, record) pairs that do not."""

    valid: list[dict[str, Any]]
    invalid: list[tuple[str, dict[str, Any]]]


def examples_of(name: str) -> Examples:
    """Return the examples kept for a schema, by its full name."""
    found = _bytes(json.loads((Path(__file__).parent / f"{name}.json").read_text(encoding="utf-8")))
    return Examples(found["valid"], [(case["why"], case["record"]) for case in found["invalid"]])


def _bytes(value: Any) -> Any:
    if isinstance(value, dict):
        if set(value) == {"hex"}:
            return bytes.fromhex(value["hex"])
        return {key: _bytes(item) for key, item in value.items()}
    return [_bytes(item) for item in value] if isinstance(value, list) else value
