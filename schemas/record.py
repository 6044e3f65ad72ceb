"""What all generated records have in common."""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar


class Record:
    """A typed record; immutable. `AVRO_NAME` is the full name of its Avro schema."""

    __slots__ = ()
    AVRO_NAME: ClassVar[str]

    def to_dict(self) -> dict[str, Any]:
        """The plain record that the codec and Avro serialisers take."""
        fields: Any = self
        return {field.name: _plain(getattr(self, field.name)) for field in dataclasses.fields(fields)}


def _plain(value: Any) -> Any:
    if isinstance(value, Record):
        return value.to_dict()
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
