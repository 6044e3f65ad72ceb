"""Fits a value that was read by its writer's schema into ours, value by value.

Schema resolution decides by schemas: one nullable field that is never null makes all records unreadable. Here the
record decides. Values convert where nothing is lost: 5 fits an int, also as a long or as 5.0; a text fits an enum that
has this symbol. Avro specification, "Schema Resolution", says the same for schemas that it allows."""

from collections.abc import Callable, Mapping
from copy import deepcopy
from math import isfinite
from struct import pack, unpack
from typing import Any

Fit = Callable[[Any], Any]
"""From a value to the same value of our type; Unfit when there is none."""

RANGES = {"int": 1 << 31, "long": 1 << 63}
EXACT = 1 << 53
"""Whole numbers below are the same as a double."""
KINDS: dict[type, tuple[str, ...]] = {
    type(None): ("null",),
    bool: ("boolean",),
    int: ("int", "long"),
    float: ("float", "double"),
    str: ("string", "enum"),
    bytes: ("bytes", "fixed"),
    list: ("array",),
    dict: ("map", "record"),
}
"""The types whose values the Avro library returns as this Python type."""


class Unfit(Exception):
    """A value does not fit. The text names the field and the value."""

    def __init__(self, place: str, value: Any, why: str) -> None:
        shown = repr(value)
        super().__init__(f"{place} is {shown if len(shown) <= 80 else shown[:80] + '…'}, and {why}")


def fitting(ours: Any) -> Fit:
    """Compile the fit of a record schema that the Avro library has parsed, without logical types."""
    return _Compiler().of(ours, str(ours["name"]).rpartition(".")[2])


class _Compiler:
    """Makes one function per type and place; types that were declared are known by name."""

    def __init__(self) -> None:
        self._named: dict[str, Any] = {}

    def of(self, schema: Any, place: str) -> Fit:
        if isinstance(schema, list):
            return self._union(schema, place)
        kind = schema["type"] if isinstance(schema, dict) else schema
        if kind in self._named:
            return self.of(self._named[kind], place)
        if isinstance(schema, dict) and "name" in schema:
            self._named[schema["name"]] = schema
        made: Callable[[Any, str], Fit] = getattr(self, f"_{kind}")
        return made(schema, place)

    def _null(self, schema: Any, place: str) -> Fit:
        return _only(type(None), place, "the deployed schema has no value there")

    def _boolean(self, schema: Any, place: str) -> Fit:
        return _only(bool, place, "the deployed schema has a boolean")

    def _int(self, schema: Any, place: str) -> Fit:
        return _whole(schema if isinstance(schema, str) else schema["type"], place)

    _long = _int

    def _double(self, schema: Any, place: str) -> Fit:
        def fit(value: Any) -> Any:
            if value.__class__ is float:
                return value
            if value.__class__ is int:
                return float(value)
            raise Unfit(place, value, "the deployed schema has a number")

        return fit

    def _float(self, schema: Any, place: str) -> Fit:
        def fit(value: Any) -> Any:
            if value.__class__ is int:
                return float(value)
            if value.__class__ is float and (not isfinite(value) or _is_float32(value)):
                return value
            raise Unfit(place, value, "the deployed schema has a float of 32 bits: use double")

        return fit

    def _string(self, schema: Any, place: str) -> Fit:
        def fit(value: Any) -> Any:
            if value.__class__ is str:
                return value
            try:
                return value.decode()
            except (AttributeError, UnicodeDecodeError):
                raise Unfit(place, value, "the deployed schema has a text") from None

        return fit

    def _bytes(self, schema: Any, place: str) -> Fit:
        def fit(value: Any) -> Any:
            if value.__class__ is bytes:
                return value
            if value.__class__ is str:
                return value.encode()
            raise Unfit(place, value, "the deployed schema has bytes")

        return fit

    def _fixed(self, schema: Any, place: str) -> Fit:
        def fit(value: Any) -> Any:
            if value.__class__ is bytes and len(value) == schema["size"]:
                return value
            raise Unfit(place, value, f"the deployed schema has {schema['size']} bytes")

        return fit

    def _enum(self, schema: Any, place: str) -> Fit:
        symbols, default = frozenset(schema["symbols"]), schema.get("default")

        def fit(value: Any) -> Any:
            if value.__class__ is str:
                if value in symbols:
                    return value
                if default is not None:
                    return default
            known = ", ".join(schema["symbols"][:10])
            raise Unfit(place, value, f"the deployed enum has no such symbol and no default: it has {known}")

        return fit

    def _array(self, schema: Any, place: str) -> Fit:
        inner = self.of(schema["items"], f"{place}[]")

        def fit(value: Any) -> Any:
            if value.__class__ is list:
                return [inner(item) for item in value]
            raise Unfit(place, value, "the deployed schema has an array")

        return fit

    def _map(self, schema: Any, place: str) -> Fit:
        inner = self.of(schema["values"], f"{place}[]")

        def fit(value: Any) -> Any:
            if value.__class__ is dict:
                return {key: inner(item) for key, item in value.items()}
            raise Unfit(place, value, "the deployed schema has a map")

        return fit

    def _record(self, schema: Any, place: str) -> Fit:
        fields = [self._field(field, place) for field in schema["fields"]]

        def fit(value: Any) -> Any:
            if value.__class__ is dict:
                return {name: take(value) for name, take in fields}
            raise Unfit(place, value, "the deployed schema has a record")

        return fit

    def _field(self, field: Mapping[str, Any], place: str) -> tuple[str, Fit]:
        name, place = field["name"], f"{place}.{field['name']}"
        inner = self.of(field["type"], place)
        names = (name, *field.get("aliases", ()))
        default = _default(field["default"], field["type"], inner) if "default" in field else None

        def take(record: Any) -> Any:
            if name in record:
                return inner(record[name])
            for other in names[1:]:
                if other in record:
                    return inner(record[other])
            if "default" not in field:
                raise Unfit(place, None, "neither the producer's schema has the field nor ours a default")
            return deepcopy(default)

        return name, take

    def _union(self, branches: list[Any], place: str) -> Fit:
        """Of several types that fit, the first of the value's own kind, else the first."""
        fits = [(_kind(branch, self._named), self.of(branch, place)) for branch in branches]
        if len(fits) == 2 and fits[0][0] == "null":
            inner = fits[1][1]
            return lambda value: None if value is None else inner(value)

        def fit(value: Any) -> Any:
            own = KINDS[value.__class__]
            found: Unfit | None = None
            for kinds in (own, None):
                for kind, inner in fits:
                    if kinds is not None and kind not in kinds:
                        continue
                    try:
                        return inner(value)
                    except Unfit as unfit:
                        found = found or unfit
            raise found or Unfit(place, value, "the deployed schema has no such type there")

        return fit


def _only(kind: type, place: str, why: str) -> Fit:
    def fit(value: Any) -> Any:
        if value.__class__ is kind:
            return value
        raise Unfit(place, value, why)

    return fit


def _whole(kind: str, place: str) -> Fit:
    limit = RANGES[kind]

    def fit(value: Any) -> Any:
        if value.__class__ is float and abs(value) <= EXACT and value == int(value):
            value = int(value)
        if value.__class__ is int and -limit <= value < limit:
            return value
        bits = limit.bit_length()
        raise Unfit(place, value, f"the deployed schema has a whole number of {bits} bits ({kind})")

    return fit


def _is_float32(value: float) -> bool:
    try:
        return bool(unpack("<f", pack("<f", value))[0] == value)
    except OverflowError:
        return False


def _kind(schema: Any, named: Mapping[str, Any]) -> str:
    kind = schema["type"] if isinstance(schema, dict) else schema
    return str(named[kind]["type"]) if kind in named else str(kind)


def _default(value: Any, schema: Any, inner: Fit) -> Any:
    """Return a declared default as a value. JSON has no bytes: a text stands for them, one character for each."""
    first = schema[0] if isinstance(schema, list) else schema
    kind = first["type"] if isinstance(first, dict) else first
    return value.encode("latin-1") if kind in ("bytes", "fixed") and isinstance(value, str) else inner(value)
