"""The mapping file: which column becomes which field of which event. docs/publishing.md describes every key."""

import codecs
import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, ConfigDict, Field, StrictStr, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from agents.importing.files.rows import FileFormat
from agents.importing.values.notation import Notation
from agents.importing.values.rule import Rule, RuleOrColumn
from streams.errors import TidecastError

FORBID = ConfigDict(extra="forbid")


class MappingError(TidecastError):
    """A mapping file is wrong; names the file, the key and the remedy."""


def _one_character(value: str) -> str:
    if len(value) != 1:
        raise ValueError("is not one character.")
    return value


def _encoding(value: str) -> str:
    try:
        return codecs.lookup(value).name
    except LookupError:
        raise ValueError(f"there is no encoding {value!r}; write one such as cp1252.") from None


Name = Annotated[StrictStr, Field(min_length=1)]
Character = Annotated[StrictStr, AfterValidator(_one_character)]


@dataclass(frozen=True, config=FORBID)
class OutcomeMapping:
    """How a row states an outcome. time: None is 1 ms after the row's event."""

    target: Name
    value: RuleOrColumn
    time: RuleOrColumn | None = None
    prediction_id: Name | None = None


@dataclass(frozen=True, config=FORBID)
class RowMapping:
    """The content of a mapping file. `event` is None where rows are outcomes only.

    columns: computed columns, name → expression. where: the expression that a row must fulfil. place: for errors."""

    customer: Name
    time: RuleOrColumn
    event: Name | None = None
    id: Name | None = None
    source: StrictStr = ""
    where: Name | None = None
    separator: Character | None = None
    encoding: Annotated[StrictStr, AfterValidator(_encoding)] | None = None
    decimal: Character | None = None
    thousands: Character | None = None
    missing: tuple[StrictStr, ...] | None = None
    columns: Mapping[str, Name] = Field(default_factory=dict)
    fields: Mapping[str, RuleOrColumn] = Field(default_factory=dict)
    outcome: OutcomeMapping | None = None
    place: str = "mapping"

    @property
    def format(self) -> FileFormat:
        """How its files are read."""
        return FileFormat(self.separator, self.encoding)

    def notation(self, separator: str | None) -> Notation:
        """Return how values are written in a file with that separator.

        Countries that separate columns by semicolons write a decimal comma, so that 1.200 is ambiguous there."""
        doubtful = separator == ";" and self.decimal is None and self.thousands is None
        return Notation(self.decimal or ".", self.thousands or "", self.missing, doubtful)


MAPPING = TypeAdapter(RowMapping)
KEYS: Mapping[str, tuple[str, ...]] = {
    "": tuple(name for name in RowMapping.__dataclass_fields__ if name != "place"),
    "outcome": tuple(OutcomeMapping.__dataclass_fields__),
    "rule": tuple(Rule.__dataclass_fields__),
}


def read_mapping(path: Path) -> RowMapping:
    """Read a mapping file. Raises MappingError, which names the first mistake in one sentence."""
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise MappingError(f"The mapping {path} cannot be read ({error.strerror}); check --mapping.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise MappingError(f"{path} is not TOML: {error}; correct it.") from error
    return parse_mapping(found, str(path))


def parse_mapping(found: Mapping[str, Any], place: str = "mapping") -> RowMapping:
    """Return the mapping that parsed TOML describes."""
    if "place" in found:
        raise MappingError(f"{place}: unknown key 'place'{nearest('place', KEYS[''])}")
    if "event" not in found and "outcome" not in found:
        raise MappingError(f"{place}: name the event that a row becomes (event = …), or write an [outcome].")
    try:
        mapping = MAPPING.validate_python({**found, "place": place})
    except ValidationError as error:
        first = min(error.errors(), key=lambda found: found["type"] == "missing")  # a misspelt key misses another one
        raise MappingError(_sentence(place, first)) from None
    if mapping.thousands is not None and mapping.thousands == (mapping.decimal or "."):
        raise MappingError(f"{place}: decimal and thousands are both {mapping.thousands!r}; they must differ.")
    return mapping


def _sentence(place: str, error: Any) -> str:
    """Return one of pydantic's errors in our words."""
    path = [str(part) for part in error["loc"]]
    where = f"{place}: {'.'.join(path)}"
    parent = f"{place}: {'.'.join(path[:-1])}: " if len(path) > 1 else f"{place}: "
    if error["type"] == "unexpected_keyword_argument":
        known = KEYS[""] if len(path) == 1 else KEYS["outcome" if path[:-1] == ["outcome"] else "rule"]
        return f"{parent}unknown key {path[-1]!r}{nearest(path[-1], known)}"
    if error["type"] == "missing":
        return f'{parent}the key {path[-1]} is missing; name its column: {path[-1]} = "…".'
    if error["type"] == "value_error":
        text = str(error["ctx"]["error"])
        return f"{where} {text}" if text.startswith("is ") else f"{where}: {text}"
    expected = {
        "too_short": "is empty; write map = { Yes = 1, No = 0 }.",
        "string_too_short": "is empty; name something.",
        "string_type": "is not a text.",
        "dict_type": "is not a table; write its keys below it or in { }.",
        "dataclass_type": "is not a table; write its keys below it or in { }.",
        "mapping_type": "is not a table; write its keys below it or in { }.",
        "tuple_type": 'is not a list; write one such as ["NA", ""].',
    }
    return f"{where} {expected.get(error['type'], error['msg'])}"


def nearest(name: str, known: tuple[str, ...]) -> str:
    """Return the end of a sentence about an unknown name: what was probably meant."""
    near = get_close_matches(name, known, 1)
    return f"; did you mean {near[0]!r}?" if near else f"; known are {', '.join(known)}."
