"""Turns rows of a file into records of the use case, as the mapping says."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from math import isfinite
from typing import Any

from agents.importing.convert import Convert, Misfit, Rule, time_converter
from agents.importing.mapping import MappingError, OutcomeMapping, RowMapping, nearest
from schemas.catalog import Event, Schema
from schemas.records import OUTCOME, OutcomeRecord

COMMON = {"event_id": "id", "customer_id": "customer", "occurred_at": "time", "source": "source"}
"""Fields of every event → the key of a mapping that sets each."""

Row = Mapping[str, Any]


class RowMapper:
    """Turns rows into records of the use case's schemas.

    schemas: Avro schema per full event name, and of tidecast.Outcome.
    full_name: full name of the mapping's event.
    columns: the file's columns where it has a header, to find misspelt ones before the first row."""

    def __init__(
        self, mapping: RowMapping, full_name: str | None, schemas: Mapping[str, Schema], columns: tuple[str, ...] | None
    ) -> None:
        self._mapping = mapping
        self._columns = columns
        self._event = full_name
        self._time = self._getter("time", mapping.time, time_converter(mapping.time.format, mapping.time.zone))
        self._fields: list[tuple[str, Convert]] = []
        if full_name is not None:
            self._fields = list(self._event_fields(schemas[full_name]))
        self._check_column("customer", mapping.customer)
        self._check_column("id", mapping.id)
        self._outcome = self._outcome_getters(mapping.outcome, schemas) if mapping.outcome else None

    def records(self, row: Row, fallback_id: str) -> Iterator[tuple[str, Event | OutcomeRecord]]:
        """Return (full name, record) of the row's event and outcome; Misfit says what does not fit."""
        mapping = self._mapping
        customer = _identity(row, mapping.customer)
        unique = fallback_id if mapping.id is None else _identity(row, mapping.id)
        moment: int = self._time(row)
        if self._event is not None:
            record = {
                "event_id": unique,
                "customer_id": customer,
                "occurred_at": moment,
                "source": mapping.source,
            }
            for name, get in self._fields:
                record[name] = get(row)
            yield self._event, record
        if self._outcome is not None:
            yield OUTCOME, self._told(row, unique, customer, moment)

    def _told(self, row: Row, unique: str, customer: str, moment: int) -> OutcomeRecord:
        assert self._outcome is not None and self._mapping.outcome is not None
        value, time = self._outcome
        after = moment if self._event is None else moment + 1
        named = self._mapping.outcome.prediction_id
        return {
            "outcome_id": f"{unique}/{self._mapping.outcome.target}",
            "customer_id": customer,
            "target": self._mapping.outcome.target,
            "prediction_id": None if named is None else (row.get(named) or None),
            "occurred_at": after if time is None else time(row),
            "value": value(row),
            "source": self._mapping.source,
        }

    def _outcome_getters(
        self, outcome: OutcomeMapping, schemas: Mapping[str, Schema]
    ) -> tuple[Convert, Convert | None]:
        self._check_column("outcome.prediction_id", outcome.prediction_id)
        value = self._getter("outcome.value", outcome.value, outcome.value.convert_for("double"))
        if outcome.time is None:
            return value, None
        convert = time_converter(outcome.time.format, outcome.time.zone)
        return value, self._getter("outcome.time", outcome.time, convert)

    def _event_fields(self, schema: Schema) -> Iterator[tuple[str, Convert]]:
        types = {field["name"]: field for field in schema["fields"] if field["name"] not in COMMON}
        place, event = self._mapping.place, schema["name"]
        for name in self._mapping.fields:
            if name in COMMON:
                raise MappingError(
                    f"{place}: fields.{name} is set by the key {COMMON[name]} at the top; move it there."
                )
            if name not in types:
                raise MappingError(f"{place}: {event} has no field {name!r}{nearest(name, tuple(types))}")
        for name, declared in types.items():
            rule = self._mapping.fields.get(name)
            if rule is None:
                if self._columns is not None and name not in self._columns:
                    if "default" in declared:
                        continue
                    raise MappingError(f"{place}: nothing says what {event}.{name} is; add it to [fields].")
                rule = Rule(column=name)
            get = self._getter(f"fields.{name}", rule, rule.convert_for(declared["type"]))
            yield name, _defaulting(declared, get, rule.column)

    def _getter(self, key: str, rule: Rule, convert: Convert) -> Convert:
        """Return a function from the row to the value. Its Misfit names the column."""
        column = rule.column
        if column is None:
            try:
                constant = convert(rule.value)
            except Misfit as error:
                raise MappingError(f"{self._mapping.place}: {key}: the value {error}.") from None
            return lambda row: constant
        self._check_column(key, column)

        def get(row: Row) -> Any:
            try:
                return convert(row.get(column))
            except Misfit as error:
                raise Misfit(f"{column} {error}") from None

        return get

    def _check_column(self, key: str, column: str | None) -> None:
        if column is not None and self._columns is not None and column not in self._columns:
            near = nearest(column, self._columns)
            raise MappingError(
                f"{self._mapping.place}: {key} names the column {column!r}, which is not in the file{near}"
            )


def _defaulting(declared: Mapping[str, Any], get: Convert, column: str | None) -> Convert:
    """Replace a missing value (not an empty text) by the schema's default where it has one."""
    if column is None or "default" not in declared:
        return get
    default = declared["default"]
    return lambda row: default if row.get(column) is None else get(row)


def _identity(row: Row, column: str) -> str:
    """Return an id as text: never empty; a whole number has no fraction."""
    value = row.get(column)
    if value is None or value == "":
        raise Misfit(f"{column} is empty")
    if isinstance(value, float | Decimal) and isfinite(value) and value == int(value):
        return str(int(value))
    return value if isinstance(value, str) else str(value)
