"""The columns of a file as a mapping uses them: which there are, computed ones, and those that no row has."""

from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from agents.importing.mapping.expressions import Condition, Expression
from agents.importing.mapping.mapping_file import MappingError, RowMapping, nearest
from agents.importing.values.misfit import Misfit
from agents.importing.values.notation import Notation

ALIKE = 0.75
"""How alike the names of a column and a field are (of 1) when one of them is probably misspelt."""
Row = Mapping[str, Any]
SEEN_AT_MOST = 200
"""Names of columns that are remembered, to say what was probably meant."""


class Columns:
    """The columns of a file, with those that the mapping computes.

    known: those of the file's header; None where each row names its own. Then `check_seen` tells after the last row
    which names no row has."""

    def __init__(self, mapping: RowMapping, known: tuple[str, ...] | None, notation: Notation) -> None:
        self._mapping = mapping
        self._known = known
        self._waiting: dict[str, str] = {}
        self._seen: dict[str, None] = {}
        self._used: set[str] = set()
        self._optional: list[str] = []
        self._computed: list[tuple[str, Expression]] = []
        for name, text in mapping.columns.items():
            if known is not None and name in known:
                raise MappingError(f"{mapping.place}: columns.{name}: the file has such a column; choose another name.")
            self._computed.append((name, self._expression(f"columns.{name}", Expression, text, notation)))
        self._where = None if mapping.where is None else self._expression("where", Condition, mapping.where, notation)
        needed = set() if self._where is None else set(self._where.columns())
        for name, expression in reversed(self._computed):
            needed |= set(expression.columns()) if name in needed else set()
        # a row that is left out need not have values in all computed columns
        self._before = [pair for pair in self._computed if pair[0] in needed]
        self._after = [pair for pair in self._computed if pair[0] not in needed]

    def _expression(self, key: str, kind: type[Any], text: str, notation: Notation) -> Any:
        try:
            found = kind(text, notation)
        except ValueError as error:
            raise MappingError(f"{self._mapping.place}: {key}: {error}") from None
        for column in found.columns():
            self.check(key, column)
        return found

    def has(self, name: str) -> bool | None:
        """Return whether there is a column of that name; None when only the rows can tell."""
        if any(name == computed for computed, _ in self._computed):
            return True
        return None if self._known is None else name in self._known

    def check(self, key: str, column: str | None) -> None:
        """Note that a key of the mapping names a column. Raises MappingError when the file's header has none such."""
        if column is None:
            return
        self._used.add(column)
        there = self.has(column)
        if there is None:
            self._waiting.setdefault(column, key)
        elif not there and self._path(column) is None:
            raise MappingError(self._missing(key, column, self._known or ()))

    def may_use(self, column: str) -> None:
        """Note that a field is set by a column that need not be there."""
        self._used.add(column)
        self._optional.append(column)

    def getter(self, column: str) -> Callable[[Row], Any]:
        """Return a function from a row to the value of a column, or of a part of it such as `payload.amount`."""
        path = self._path(column)
        if path is None:
            return lambda row: row.get(column)
        head, rest = path

        def get(row: Row) -> Any:
            found = row[column] if column in row else row.get(head)
            if column not in row:
                for part in rest:
                    found = found.get(part) if isinstance(found, dict) else None
            return found

        return get

    def _path(self, column: str) -> tuple[str, list[str]] | None:
        """Return the column that holds a structure, and the names inside it; None when it is a plain column."""
        head, *rest = column.split(".")
        if not rest or self.has(column) or self.has(head) is False:
            return None
        return head, rest

    def prepared(self, row: dict[str, Any]) -> dict[str, Any] | None:
        """Return the row with its computed columns; None when it is left out. Raises Misfit when one has no value."""
        if self._known is None:
            self._look(row)
        _compute(row, self._before)
        if self._where is not None and not self._where.holds(row):
            return None
        _compute(row, self._after)
        return row

    def _look(self, row: dict[str, Any]) -> None:
        if self._waiting:
            for name in [name for name in self._waiting if _holds(row, name)]:
                del self._waiting[name]
        if len(self._seen) < SEEN_AT_MOST:
            self._seen.update(dict.fromkeys(row))

    def check_seen(self) -> None:
        """Raise MappingError when no row had a column that the mapping names. Call it after the last row."""
        if self._seen and self._waiting:
            column, key = next(iter(self._waiting.items()))
            raise MappingError(self._missing(key, column, tuple(self._seen)))

    def unused(self) -> list[str]:
        """Return the columns of the file that nothing uses."""
        used = {name.split(".")[0] for name in self._used} | self._used | {name for name, _ in self._computed}
        return [name for name in self._known or self._seen if name and name not in used]

    def misspelt(self) -> list[tuple[str, str]]:
        """Return (column, field) where an unused column has nearly the name of a field that no column sets."""
        there = self._seen if self._known is None else self._known
        unset = [name for name in self._optional if name not in there]
        near = [(name, get_close_matches(name, unset, 1, ALIKE)) for name in self.unused()]
        return [(name, found[0]) for name, found in near if found]

    def _missing(self, key: str, column: str, known: tuple[str, ...]) -> str:
        place = f"{self._mapping.place}: {key} names the column {column!r}"
        return f"{place}, which is not in the file{nearest(column, known)}"


def _compute(row: dict[str, Any], computed: Iterable[tuple[str, Expression]]) -> None:
    for name, expression in computed:
        try:
            row[name] = expression.value(row)
        except Misfit as error:
            raise Misfit(f"{name} {error}") from None


def _holds(row: Row, name: str) -> bool:
    if name in row:
        return True
    found: Any = row
    for part in name.split("."):
        if not isinstance(found, dict) or part not in found:
            return False
        found = found[part]
    return True
