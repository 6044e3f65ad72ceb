"""`where` clauses: select events of a type."""

import operator
from collections.abc import Callable, Mapping
from typing import Any

from schemas.catalog import Event
from streams.errors import DeclarationError

Where = Mapping[str, Any]
"""{field: value} or {field: (operator, value)}, all of them true."""

Matches = Callable[[Event], bool]


def _unless_null(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    return lambda value, bound: value is not None and compare(value, bound)


OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": _unless_null(operator.lt),
    "<=": _unless_null(operator.le),
    ">": _unless_null(operator.gt),
    ">=": _unless_null(operator.ge),
    "in": lambda value, among: value in among,
    "not in": lambda value, among: value not in among,
}
"""Comparison operators. A null field is never smaller or larger; otherwise values compare as in Python."""


def condition(wanted: Any) -> tuple[str, Any]:
    """Return (operator, value) of an entry of a `where`. Raises DeclarationError for an unknown operator."""
    if not isinstance(wanted, tuple | list):
        return "==", wanted
    if len(wanted) != 2 or wanted[0] not in OPERATORS:
        raise DeclarationError(
            f"{wanted!r} is not a condition; write a value, or a pair of one of {', '.join(OPERATORS)} and a value"
        )
    name, value = wanted
    return name, tuple(value) if isinstance(value, tuple | list) else value


def compile_where(where: Where) -> Matches:
    """Return a function that tests whether a record fits all conditions. Raises DeclarationError for an unknown
    operator."""
    tests = [(field, OPERATORS[name], value) for field, (name, value) in _conditions(where)]
    if len(tests) == 1:
        only, test, bound = tests[0]
        return lambda record: test(record[only], bound)
    return lambda record: all(test(record[field], value) for field, test, value in tests)


def equality(where: Where) -> tuple[str, Any] | None:
    """Return (field, value) of a `where` with one equality only, which is the quickest to test; else None."""
    tests = _conditions(where)
    return (tests[0][0], tests[0][1][1]) if len(tests) == 1 and tests[0][1][0] == "==" else None


def where_key(where: Where) -> str:
    """Return a text that is the same for equal filters in any order, and different for all others."""
    return repr(sorted((field, name, value) for field, (name, value) in _conditions(where))) if where else ""


def _conditions(where: Where) -> list[tuple[str, tuple[str, Any]]]:
    return [(field, condition(wanted)) for field, wanted in where.items()]
