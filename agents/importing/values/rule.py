"""A rule says where a field gets its value; it is turned into a function for the field's Avro type."""

from collections.abc import Callable
from datetime import UTC, timedelta, tzinfo
from decimal import Decimal
from typing import Annotated, Any, NamedTuple
from zoneinfo import ZoneInfoNotFoundError

from pydantic import BeforeValidator, ConfigDict, Field, PlainValidator, StrictStr
from pydantic.dataclasses import dataclass

from agents.importing.values import numbers, texts
from agents.importing.values.misfit import Misfit, shown
from agents.importing.values.notation import Notation
from agents.importing.values.times import (
    MICROSECOND,
    MILLISECOND,
    TimeConverter,
    clock_converter,
    date_converter,
    zone_of,
)

Convert = Callable[[Any], Any]
PLAIN = Notation()
UNSET: Any = object()
"""The default of a field that has none."""
TEXTS = frozenset({"string", "bytes", "fixed", "enum"})
ZONED = {
    "timestamp-millis": MILLISECOND,
    "timestamp-micros": MICROSECOND,
    "local-timestamp-millis": MILLISECOND,
    "local-timestamp-micros": MICROSECOND,
}
CLOCKS = {"time-millis": MILLISECOND, "time-micros": MICROSECOND}


def _zone(value: Any) -> tzinfo:
    try:
        return value if isinstance(value, tzinfo) else zone_of(str(value))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"there is no time zone {value!r}; write one such as Europe/Berlin.") from None


def _scale(value: Any) -> Decimal:
    try:
        found = Decimal(str(value))
    except ArithmeticError:
        raise ValueError(f"the scale {value!r} is not a number.") from None
    if not found.is_finite():
        raise ValueError(f"the scale {value} is not finite.")
    return found


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Rule:
    """Where a field gets its value: from `column`, or the constant `value`.

    scale: exact factor on a number; an integer field is rounded half to even.
    map: text → value.
    format: format of a time. None is ISO 8601, "s", "ms", "us" and "ns" are unix time, anything else is for strptime.
    zone: time zone of times that name none."""

    column: StrictStr | None = None
    value: Any = None
    scale: Annotated[Decimal, PlainValidator(_scale)] | None = None
    map: Annotated[dict[str, Any], Field(min_length=1)] | None = None
    format: StrictStr | None = None
    zone: Annotated[tzinfo, PlainValidator(_zone)] = UTC

    def times(self, unit: timedelta = MILLISECOND) -> TimeConverter:
        """Return a converter to times by the rule's format and zone."""
        return TimeConverter(self.format, self.zone, unit)

    def convert_for(self, schema: Any, notation: Notation = PLAIN, default: Any = UNSET) -> Convert:
        """Return a function from the column's value to a value of the Avro type. The function raises Misfit.

        A missing value is null where the type allows null, else `default`. ValueError when a key of the rule has
        no meaning for the type."""
        branches = [kind for kind in (schema if isinstance(schema, list) else [schema]) if kind != "null"]
        nullable = isinstance(schema, list) and "null" in schema
        kinds = [_Kind.of(kind) for kind in branches or ["null"]]
        self._check_keys(kinds)
        convert = self._one_of(kinds, notation)
        is_text = any(kind.is_text for kind in kinds)
        is_missing = notation.is_missing_text if is_text else notation.is_missing
        fallback = None if nullable else default
        table = self.map

        def whole(value: Any) -> Any:
            if value is None and default is not UNSET:
                return default
            if table is not None and (text := "" if value is None else texts.text_of(value).strip()) in table:
                value = table[text]
            elif is_missing(value) or (nullable and is_text and value == ""):
                if fallback is UNSET:
                    raise Misfit("is empty")
                return fallback
            elif table is not None:
                raise Misfit(f"{shown(value)} is none of {', '.join(map(repr, table))}")
            return convert(value)

        if nullable and default is UNSET:
            fallback = None
        return whole

    def _check_keys(self, kinds: list["_Kind"]) -> None:
        for kind in kinds:
            if kind.name == "duration":
                raise ValueError("is an Avro duration, which no column can be turned into; declare another type")
        timed, numeric = any(kind.is_time for kind in kinds), any(kind.is_number for kind in kinds)
        if self.format is not None and not timed:
            raise ValueError(f"format is for times and dates, and the field is a {kinds[0].name}; leave it out")
        if self.zone is not UTC and not timed:
            raise ValueError(f"zone is for times, and the field is a {kinds[0].name}; leave it out")
        if self.scale is not None and not numeric:
            raise ValueError(f"scale is for numbers, and the field is a {kinds[0].name}; leave it out")

    def _one_of(self, kinds: list["_Kind"], notation: Notation) -> Convert:
        """Return the converter of the only type, or one that tries those of a union, the natural one first."""
        converters = [(kind, self._convert(kind, notation)) for kind in kinds]
        if len(converters) == 1:
            return converters[0][1]

        def convert(value: Any) -> Any:
            for _, attempt in sorted(converters, key=lambda pair: not pair[0].holds(value)):
                try:
                    return attempt(value)
                except Misfit as error:
                    why = error
            raise why

        return convert

    def _convert(self, kind: "_Kind", notation: Notation) -> Convert:
        schema, name = kind.schema, kind.name
        if name in ZONED:
            return self.times(ZONED[name])
        if name in CLOCKS:
            return clock_converter(self.format, CLOCKS[name])
        if name == "date":
            return date_converter(self.format)
        if name in numbers.RANGES:
            return numbers.integer(notation.decimal_parser(), self.scale, name)
        if name in ("double", "float"):
            return numbers.double(notation.decimal_parser(), self.scale, name)
        if name == "decimal":
            shape = (schema["precision"], schema.get("scale", 0), schema.get("size"))
            return numbers.decimal(notation.decimal_parser(), self.scale, *shape)
        if name == "enum":
            return texts.enum(schema["symbols"])
        if name in ("bytes", "fixed"):
            return texts.octets(schema["size"] if name == "fixed" else None)
        simple = {"string": texts.text_of, "uuid": texts.uuid_text, "boolean": texts.boolean}
        return simple.get(name) or texts.structured(schema)


class _Kind(NamedTuple):
    """An Avro type that is no union. name: its logical type where it has one that is known, else its type."""

    name: str
    schema: Any

    @classmethod
    def of(cls, schema: Any) -> "_Kind":
        base = schema["type"] if isinstance(schema, dict) else schema
        logical = schema.get("logicalType") if isinstance(schema, dict) else None
        known = {*ZONED, *CLOCKS, "date", "decimal", "uuid", "duration"}
        return cls(logical if logical in known else base, schema)

    @property
    def is_text(self) -> bool:
        """Whether a text such as NA can be a value."""
        return self.name in TEXTS and self.name != "enum"

    @property
    def is_time(self) -> bool:
        return self.name in ZONED or self.name in CLOCKS or self.name == "date"

    @property
    def is_number(self) -> bool:
        return self.name in numbers.RANGES or self.name in ("double", "float", "decimal")

    def holds(self, value: Any) -> bool:
        """Return whether the type is the natural one for a Python value."""
        if isinstance(value, bool):
            return self.name == "boolean"
        if isinstance(value, int):
            return self.name in numbers.RANGES
        if isinstance(value, float | Decimal):
            return self.name in ("double", "float", "decimal")
        return self.name == "string" if isinstance(value, str) else not (self.is_number or self.is_text)


def rule_of(value: Any) -> Any:
    """Read a column's name as a rule; see pydantic's BeforeValidator."""
    if isinstance(value, str):
        return {"column": value}
    if isinstance(value, Rule):
        return value
    if not isinstance(value, dict):
        raise ValueError('is neither a column\'s name nor a table; write "column" or { value = … }.')
    if ("column" in value) == ("value" in value) and not set(value) - set(Rule.__dataclass_fields__):
        raise ValueError("give either a column or a value.")
    return value


RuleOrColumn = Annotated[Rule, BeforeValidator(rule_of)]
"""A rule, or only the name of its column."""
