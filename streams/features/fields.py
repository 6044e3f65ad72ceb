"""Checks references to event fields: do they exist, and can they be used so? Features and outcomes share them."""

import math
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Literal, NamedTuple

from schemas.catalog import Schema
from streams.errors import DeclarationError
from streams.features.filters import condition
from streams.features.window import UNITS, duration_ms

Kind = Literal["number", "boolean", "text", "time", "other"]
NUMBERS: tuple[Kind, ...] = ("number",)
VALUES: tuple[Kind, ...] = ("number", "boolean", "text", "time")
_PRIMITIVE: dict[str, Kind] = {
    "int": "number",
    "long": "number",
    "float": "number",
    "double": "number",
    "boolean": "boolean",
    "string": "text",
}


class Problem(NamedTuple):
    """A mistake: the declaration (such as "feature 'calls_7d'"), its field, and what is wrong, with the remedy."""

    declaration: str
    field: str
    text: str

    def __str__(self) -> str:
        return f"{self.declaration}, {self.field}: {self.text}" if self.field else f"{self.declaration}: {self.text}"


class FieldType(NamedTuple):
    """Kind of a field, whether it may be null, and an enum's symbols (empty for anything else)."""

    kind: Kind
    nullable: bool
    symbols: tuple[str, ...] = ()


Events = Mapping[str, Mapping[str, FieldType]]
"""Fields per event (short name)."""


def event_fields(schemas: Mapping[str, Schema]) -> dict[str, dict[str, FieldType]]:
    """Return the fields of each event."""
    return {
        event: {field["name"]: field_type(field["type"]) for field in schema.get("fields", ())}
        for event, schema in schemas.items()
    }


def field_type(avro: Any) -> FieldType:
    """Return the kind of an Avro type; of a union, that of its branches if they agree."""
    if isinstance(avro, list):
        branches = [field_type(branch) for branch in avro if branch != "null"]
        kinds = {branch.kind for branch in branches}
        kind = kinds.pop() if len(kinds) == 1 else "other"
        symbols = branches[0].symbols if len(branches) == 1 else ()
        return FieldType(kind, "null" in avro, symbols)
    if isinstance(avro, dict):
        if avro.get("type") == "enum":
            return FieldType("text", False, tuple(avro.get("symbols", ())))
        if "logicalType" in avro and avro.get("type") != "string":
            return FieldType("time" if avro.get("type") in ("int", "long") else "other", False)
        return field_type(avro.get("type")) if isinstance(avro.get("type"), str) else FieldType("other", False)
    return FieldType(_PRIMITIVE.get(avro, "other"), False)


def one_of(wrong: object, known: Sequence[str]) -> str:
    """Return the remedy for an unknown name: the nearest known one, else all of them."""
    known = [name for name in known if isinstance(name, str)]
    near = get_close_matches(str(wrong), known, 1, 0.5)
    return f"did you mean {near[0]!r}?" if near else f"use one of {', '.join(known)}." if known else "there is none."


def event_problems(events: Events, declaration: str, field: str, names: Sequence[Any]) -> Iterator[Problem]:
    """Return problems for names that are not events."""
    for name in names:
        if not isinstance(name, str) or name not in events:
            yield Problem(declaration, field, f"no event {name!r} has a schema; {one_of(name, list(events))}")


def field_problems(
    events: Events, declaration: str, of: Sequence[str], name: Any, kinds: Sequence[Kind], use: str
) -> Iterator[Problem]:
    """Return problems for a field that an event lacks, or that does not fit its use here (`use`)."""
    for event in of:
        known = events.get(event) if isinstance(event, str) else None
        if known is None:
            continue
        if not isinstance(name, str) or name not in known:
            text = f"event {event} has no field {name!r}; {one_of(name, list(known))}"
            yield Problem(declaration, "field", text)
        elif known[name].kind not in kinds:
            yield Problem(declaration, "field", _wrong_kind(event, name, known, kinds, use))


def _wrong_kind(event: str, name: str, known: Mapping[str, FieldType], kinds: Sequence[Kind], use: str) -> str:
    fit = [other for other, kind in known.items() if kind.kind in kinds and other not in ("event_id", "customer_id")]
    remedy = f"use one of {', '.join(fit)}" if fit else "add a field that is one to the schema"
    return f"{event}.{name} is a {known[name].kind} field, {use}; {remedy}, or another declaration."


def where_problems(events: Events, declaration: str, of: Sequence[str], where: Any) -> Iterator[Problem]:
    """Return problems for conditions with unknown fields, unknown operators, or values that can never match."""
    if not isinstance(where, Mapping):
        yield Problem(declaration, "where", f"{where!r} is not a filter; write {{'field': value}}.")
        return
    for name, wanted in where.items():
        try:
            operator, value = condition(wanted)
        except DeclarationError as error:
            yield Problem(declaration, "where", f"{error}.")
            continue
        for event in of:
            known = events.get(event) if isinstance(event, str) else None
            if known is None:
                continue
            if name not in known:
                text = f"event {event} has no field {name!r}; {one_of(name, list(known))}"
                yield Problem(declaration, "where", text)
            else:
                wrong = _value_problem(f"{event}.{name}", known[name], operator, value)
                if wrong:
                    yield Problem(declaration, "where", wrong)


def _value_problem(place: str, field: FieldType, operator: str, value: Any) -> str | None:
    several = operator in ("in", "not in")
    if several and not isinstance(value, tuple):
        return f"{operator!r} needs a tuple of values, not {value!r}; write ({operator!r}, ({value!r},))."
    if several and not value:
        return f"{operator!r} needs at least one value."
    if operator not in ("==", "!=", "in", "not in") and (field.kind == "boolean" or value is None):
        return f"{place} cannot be compared with {value!r} by {operator!r}; use '==' or '!='."
    for each in value if several else (value,):
        wrong = value_problem(place, field, each)
        if wrong:
            return wrong
    return None


def value_problem(place: str, field: FieldType, value: Any) -> str | None:
    """Return why a field can never have that value; None when it can."""
    if field.kind == "other":
        return f"{place} is neither number, text nor boolean; compare another field."
    if value is None:
        return None if field.nullable else f"{place} is never null; compare it with a value."
    fits = {"boolean": bool, "text": str, "number": int | float, "time": int}[field.kind]
    if not isinstance(value, fits) or (field.kind != "boolean" and isinstance(value, bool)):
        return f"{place} is a {field.kind} field and is never {value!r}; compare it with a {field.kind}."
    if isinstance(value, float) and not math.isfinite(value):
        return f"{place} is never {value!r}; compare it with a finite number."
    if field.symbols and value not in field.symbols:
        return f"{place} is never {value!r}; {one_of(value, field.symbols)}"
    return None


def number_problem(value: Any, low: float, high: float, whole: bool = False) -> str | None:
    """Return why this is not a (whole) number in low…high; None when it is."""
    good = isinstance(value, int if whole else int | float) and not isinstance(value, bool) and low <= value <= high
    kind = "a whole number" if whole else "a number"
    return None if good else f"{value!r} is not {kind} from {low:g} to {high:g}; write one."


def amount_problems(
    events: Events, place: str, of: Sequence[str], field: Any, scale: Any, kind: str
) -> Iterator[Problem]:
    """Return problems of the number that a `kind` is computed from, and of its scale."""
    yield from field_problems(events, place, of, field, NUMBERS, f"and {kind} needs a number")
    wrong = number_problem(scale, -1e9, 1e9)
    if wrong or scale == 0:
        yield Problem(place, "scale", wrong or "0 makes every value 0; write another factor.")


def unit_problems(place: str, unit: Any) -> Iterator[Problem]:
    """Return problems of a unit of time."""
    units = [known for known in UNITS if known != "ms"]
    if unit not in units:
        yield Problem(place, "unit", f"{unit!r} is not a unit; use one of {', '.join(units)}.")


def duration_problem(text: Any) -> str | None:
    """Return why this is not a duration; None when it is."""
    try:
        duration_ms(text)
    except DeclarationError as error:
        return f"{error}."
    return None
