"""The settings of declarations, as definitions state them, and settings that a later release added.

Definitions in existing logs do not state an added setting. They mean its former value, so a declaration with that value
reads the same: its definitions, the deployment id and the snapshots of its models stay valid."""

import dataclasses
from typing import Any


def added(default: Any, before: Any) -> Any:
    """Return the dataclass field of a setting that was added later.

    default: of declarations that are written now. before: what definitions without the setting mean."""
    return dataclasses.field(default=default, metadata={"before": before})


def stated(declaration: Any) -> dict[str, Any]:
    """Return a declaration's settings by name, without added ones that have their former value."""
    fields = dataclasses.fields(declaration)
    settings = {field.name: getattr(declaration, field.name) for field in fields}
    former = {field.name: field.metadata["before"] for field in fields if "before" in field.metadata}
    return {name: value for name, value in settings.items() if name not in former or value != former[name]}


def as_before(cls: Any) -> dict[str, Any]:
    """Return the settings of a class of declarations that definitions without them mean."""
    return {field.name: field.metadata["before"] for field in dataclasses.fields(cls) if "before" in field.metadata}
