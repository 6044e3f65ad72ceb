"""The mapping file: which column becomes which field of which event.

event = "Purchase"                       # a declared event, by its short name
customer = "customer_id"                 # column with the customer's id
id = "order_id"                          # column with a unique id; without it: file digest and line number
time = { column = "date", format = "%d.%m.%Y", zone = "Europe/Berlin" }   # or only "date": ISO 8601, UTC
source = "shop"                          # a text that every event carries
separator = ";"                          # of a CSV; default ","

[fields]                                 # a field that is named like its column needs no line
items = "number_of_items"
amount_cents = { column = "dollars", scale = 100 }
returned = { column = "status", map = { R = true, S = false } }
channel = { value = "web" }

[outcome]                                # rows that state the true answer to a question
target = "churn"
value = { column = "left", map = { Yes = 1, No = 0 } }
time = "left_at"                         # default: 1 ms after the event
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfoNotFoundError

from agents.importing.convert import Rule, zone_of
from streams.errors import TidecastError

TOP_KEYS = ("event", "customer", "id", "time", "source", "separator", "fields", "outcome")
RULE_KEYS = ("column", "value", "scale", "map", "format", "zone")
OUTCOME_KEYS = ("target", "value", "time", "prediction_id")


class MappingError(TidecastError):
    """A mapping file is wrong; names the file, the key and the remedy."""


@dataclass(frozen=True, slots=True)
class OutcomeMapping:
    """How a row states an outcome. time: None is 1 ms after the row's event."""

    target: str
    value: Rule
    time: Rule | None = None
    prediction_id: str | None = None


@dataclass(frozen=True, slots=True)
class RowMapping:
    """The content of a mapping file. `event` is None where rows are outcomes only."""

    place: str
    event: str | None
    customer: str
    time: Rule
    id: str | None = None
    source: str = ""
    separator: str = ","
    fields: Mapping[str, Rule] = field(default_factory=dict)
    outcome: OutcomeMapping | None = None


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
    _known(found, TOP_KEYS, place)
    if "event" not in found and "outcome" not in found:
        raise MappingError(f"{place}: name the event that a row becomes (event = …), or write an [outcome].")
    for key in ("customer", "time"):
        if key not in found:
            raise MappingError(f'{place}: the key {key} is missing; name its column: {key} = "…".')
    outcome = found.get("outcome")
    return RowMapping(
        place=place,
        event=_text(found, "event", place),
        customer=_text(found, "customer", place) or "",
        time=_rule(found["time"], f"{place}: time"),
        id=_text(found, "id", place),
        source=_text(found, "source", place) or "",
        separator=_separator(found, place),
        fields={name: _rule(rule, f"{place}: fields.{name}") for name, rule in found.get("fields", {}).items()},
        outcome=None if outcome is None else _outcome(outcome, f"{place}: outcome"),
    )


def _outcome(found: Any, place: str) -> OutcomeMapping:
    if not isinstance(found, dict):
        raise MappingError(f"{place} is not a table; write [outcome] and its keys below.")
    _known(found, OUTCOME_KEYS, place)
    for key in ("target", "value"):
        if key not in found:
            raise MappingError(f"{place}: the key {key} is missing.")
    time = found.get("time")
    return OutcomeMapping(
        target=_text(found, "target", place) or "",
        value=_rule(found["value"], f"{place}.value"),
        time=None if time is None else _rule(time, f"{place}.time"),
        prediction_id=_text(found, "prediction_id", place),
    )


def _rule(found: Any, place: str) -> Rule:
    if isinstance(found, str):
        return Rule(column=found)
    if not isinstance(found, dict):
        raise MappingError(f'{place} is neither a column\'s name nor a table; write "column" or {{ value = … }}.')
    _known(found, RULE_KEYS, place)
    if ("column" in found) == ("value" in found):
        raise MappingError(f"{place}: give either a column or a value.")
    try:
        scale = Decimal(str(found["scale"])) if "scale" in found else None
        zone = zone_of(str(found.get("zone", "UTC")))
    except ArithmeticError:
        raise MappingError(f"{place}: the scale {found['scale']!r} is not a number.") from None
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise MappingError(
            f"{place}: there is no time zone {found['zone']!r}; write one such as Europe/Berlin."
        ) from None
    if scale is not None and not scale.is_finite():
        raise MappingError(f"{place}: the scale {scale} is not finite.")
    table = found.get("map")
    if table is not None and (not isinstance(table, dict) or not table):
        raise MappingError(f"{place}: map is not a table of texts and values; write map = {{ Yes = 1, No = 0 }}.")
    return Rule(found.get("column"), found.get("value"), scale, table, found.get("format"), zone)


def _known(found: Mapping[str, Any], known: tuple[str, ...], place: str) -> None:
    for key in found:
        if key not in known:
            raise MappingError(f"{place}: unknown key {key!r}{nearest(key, known)}")


def nearest(name: str, known: tuple[str, ...]) -> str:
    """Return the end of a sentence about an unknown name: what was probably meant."""
    near = get_close_matches(name, known, 1)
    return f"; did you mean {near[0]!r}?" if near else f"; known are {', '.join(known)}."


def _text(found: Mapping[str, Any], key: str, place: str) -> str | None:
    value = found.get(key)
    if value is None or (isinstance(value, str) and (value or key == "source")):
        return value
    raise MappingError(f"{place}: {key} is not a text.")


def _separator(found: Mapping[str, Any], place: str) -> str:
    separator = _text(found, "separator", place) or ","
    if len(separator) != 1:
        raise MappingError(f"{place}: separator is not one character.")
    return separator
