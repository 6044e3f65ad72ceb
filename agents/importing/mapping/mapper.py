"""Turns rows of a file into records of the use case, as the mapping says."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from agents.importing.mapping.columns import Columns, Row
from agents.importing.mapping.expanding import expanded
from agents.importing.mapping.mapping_file import MappingError, OutcomeMapping, RowMapping, nearest
from agents.importing.values.misfit import Misfit
from agents.importing.values.notation import Notation
from agents.importing.values.rule import UNSET, Convert, Rule
from agents.importing.values.texts import FRACTION, id_of
from agents.importing.values.times import TimeConverter
from schemas.catalog import Event, Schema
from schemas.records import OUTCOME, OutcomeRecord
from streams.scoring.intake import MAX_CUSTOMER_BYTES, MAX_ID

COMMON = {"event_id": "id", "customer_id": "customer", "occurred_at": "time", "source": "source"}
"""Fields of every event → the key of a mapping that sets each."""


class RowMapper:
    """Turns rows into records of the use case's schemas.

    schemas: Avro schema per full event name, and of tidecast.Outcome.
    full_name: full name of the mapping's event.
    columns: the file's columns where it has a header, to find misspelt ones before the first row.
    separator: of a CSV. Call it with the rows in the file's order."""

    def __init__(
        self,
        mapping: RowMapping,
        full_name: str | None,
        schemas: Mapping[str, Schema],
        columns: tuple[str, ...] | None,
        separator: str | None = None,
    ) -> None:
        self._mapping = mapping
        self._event = full_name
        self.fractions = 0
        """Ids that were written as numbers with a fraction."""
        self._notation = mapping.notation(separator)
        self.columns = Columns(mapping, columns, self._notation)
        self._converter = mapping.time.times()
        self._time = self._getter("time", mapping.time, _present(self._converter, self._notation))
        self._fields: list[tuple[str, Callable[[Row], Any]]] = []
        if full_name is not None:
            self._fields = list(self._event_fields(schemas[full_name]))
        self._customer = self._identity("customer", mapping.customer, MAX_CUSTOMER_BYTES)
        self._id = None if mapping.id is None else self._identity("id", mapping.id, MAX_ID)
        self._outcome = None if mapping.outcome is None else self._outcome_getters(mapping.outcome)

    @property
    def times(self) -> TimeConverter:
        """The converter of the rows' times."""
        return self._converter

    def records(self, row: dict[str, Any], fallback_id: str) -> Iterator[tuple[str, Event | OutcomeRecord]]:
        """Return (full name, record) of the row's event and outcome. Raises Misfit, which says what does not fit.

        None of them for a row that `where` leaves out. No outcome for a row whose column of the outcome is empty."""
        found = self.columns.prepared(row)
        if found is None:
            return
        customer = self._customer(found)
        unique = fallback_id if self._id is None else self._id(found)
        moment: int = self._time(found)
        if self._event is not None:
            record = {"event_id": unique, "customer_id": customer, "occurred_at": moment}
            record["source"] = self._mapping.source
            for name, get in self._fields:
                record[name] = get(found)
            yield self._event, record
        if self._outcome is not None:
            outcome = self._told(found, unique, customer, moment)
            if outcome is not None:
                yield OUTCOME, outcome

    def _told(self, row: Row, unique: str, customer: str, moment: int) -> OutcomeRecord | None:
        assert self._outcome is not None and self._mapping.outcome is not None
        get_value, get_time, get_named = self._outcome
        value = get_value(row)
        if value is None:
            return None
        after = moment if self._event is None else moment + 1
        return {
            "outcome_id": f"{unique}/{self._mapping.outcome.target}",
            "customer_id": customer,
            "target": self._mapping.outcome.target,
            "prediction_id": None if get_named is None else get_named(row),
            "occurred_at": after if get_time is None else get_time(row),
            "value": value,
            "source": self._mapping.source,
        }

    def _outcome_getters(self, outcome: OutcomeMapping) -> tuple[Convert, Convert | None, Convert | None]:
        value = self._field("outcome.value", outcome.value, ["null", "double"])
        time = named = None
        if outcome.time is not None:
            time = self._getter("outcome.time", outcome.time, _present(outcome.time.times(), self._notation))
        if outcome.prediction_id is not None:
            named = self._field("outcome.prediction_id", Rule(column=outcome.prediction_id), ["null", "string"])
        return value, time, named

    def _event_fields(self, schema: Schema) -> Iterator[tuple[str, Callable[[Row], Any]]]:
        types = {field["name"]: field for field in expanded(schema)["fields"] if field["name"] not in COMMON}
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
            optional = "default" in declared
            if rule is None:
                if self.columns.has(name) is False:
                    if optional:
                        self.columns.may_use(name)
                        continue
                    raise MappingError(f"{place}: nothing says what {event}.{name} is; add it to [fields].")
                rule = Rule(column=name)
                if self.columns.has(name) is None and optional:  # any row may have it, or none
                    self.columns.may_use(name)
                    yield name, self._plain(rule, declared["type"], declared["default"])
                    continue
            default = declared["default"] if optional and rule.column is not None else UNSET
            yield name, self._field(f"fields.{name}", rule, declared["type"], default)

    def _field(self, key: str, rule: Rule, schema: Any, default: Any = UNSET) -> Callable[[Row], Any]:
        try:
            return self._getter(key, rule, rule.convert_for(schema, self._notation, default))
        except ValueError as error:
            raise MappingError(f"{self._mapping.place}: {key}: {error}.") from None

    def _plain(self, rule: Rule, schema: Any, default: Any) -> Callable[[Row], Any]:
        """Return the getter of a column that need not be in any row."""
        assert rule.column is not None
        return _of_column(
            rule.column, self.columns.getter(rule.column), rule.convert_for(schema, self._notation, default)
        )

    def _identity(self, key: str, column: str, most: int) -> Callable[[Row], str]:
        def convert(value: Any) -> str:
            if self._notation.is_missing(value):
                raise Misfit("is empty" if not isinstance(value, str) or not value.strip() else _stands_for_none(value))
            found = id_of(value)
            self.fractions += isinstance(value, str) and FRACTION.fullmatch(value.strip()) is not None
            if len(found.encode("utf-8", "replace")) > most:
                raise Misfit(f"has more than {most} bytes")
            return found

        return self._getter(key, Rule(column=column), convert)

    def _getter(self, key: str, rule: Rule, convert: Convert) -> Callable[[Row], Any]:
        """Return a function from the row to the value. Its Misfit names the column."""
        column = rule.column
        if column is None:
            try:
                constant = convert(rule.value)
            except Misfit as error:
                raise MappingError(f"{self._mapping.place}: {key}: the value {error}.") from None
            return lambda row: constant
        self.columns.check(key, column)
        return _of_column(column, self.columns.getter(column), convert)


def _of_column(column: str, cell: Callable[[Row], Any], convert: Convert) -> Callable[[Row], Any]:
    def get(row: Row) -> Any:
        try:
            return convert(cell(row))
        except Misfit as error:
            raise Misfit(f"{column} {error}") from None

    return get


def _present(convert: Convert, notation: Notation) -> Convert:
    """Return the converter of a value that must not be missing."""

    def whole(value: Any) -> Any:
        if notation.is_missing(value):
            raise Misfit("is empty")
        return convert(value)

    return whole


def _stands_for_none(value: str) -> str:
    return f"is {value!r}, which stands for a missing value; if it is an id write missing = [] in the mapping"
