"""Converts to texts, ids, booleans, enums and nested values."""

import json
import re
import uuid
from collections.abc import Callable, Sequence
from decimal import Decimal
from math import isfinite
from typing import Any

from fastavro.schema import SchemaParseException
from fastavro.validation import ValidationError, validate

from agents.importing.values.misfit import Misfit, shown
from schemas.forms import strip_logical_types

TRUE, FALSE = frozenset({"true", "yes", "y", "t", "1"}), frozenset({"false", "no", "n", "f", "0"})
CONTROLS = re.compile(r"[\x00-\x1f\x7f]")
FRACTION = re.compile(r"(-?\d+)\.0+", re.ASCII)
"""An id that a tool has written as a number with a fraction, since its column has gaps."""
SHORTENED = re.compile(r"-?\d(?:[.,]\d+)?[eE]\+?\d+", re.ASCII)
EXACT = 2**53
"""Whole floats below are exact."""


def text_of(value: Any) -> str:
    """Return a value of a text field. Bytes are UTF-8."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool | dict | list):
        return json.dumps(value, default=str)
    if isinstance(value, bytes | bytearray | memoryview):
        return _decoded(bytes(value))
    return str(value)


def id_of(value: Any) -> str:
    """Return an id as text, without spaces around it; a whole number has no fraction."""
    if isinstance(value, str):
        found = value.strip()
        fraction = FRACTION.fullmatch(found)
        if fraction is not None:
            found = fraction[1]
        elif SHORTENED.fullmatch(found):
            raise Misfit(f"{shown(value)} is a number without its last digits: export the column as text")
    elif isinstance(value, bytes):
        found = _decoded(value).strip()
    elif isinstance(value, bool) or not isinstance(value, int | float | Decimal | uuid.UUID):
        raise Misfit(f"{shown(value)} is not an id: it is a {_kind(value)}; name a column of texts or whole numbers")
    elif isinstance(value, float | Decimal):
        found = _whole(value)
    else:
        found = str(value)
    if CONTROLS.search(found):
        raise Misfit(f"{shown(found)} holds a line break or a control character: is a quote missing or too many?")
    if not found:
        raise Misfit("is empty")
    return found


def _whole(value: float | Decimal) -> str:
    if not isfinite(value) or value != int(value):
        raise Misfit(f"{shown(value)} is not an id: it is not a whole number")
    if isinstance(value, float) and abs(value) > EXACT:
        raise Misfit(f"{shown(value)} is a float without its last digits: export the column as text")
    return str(int(value))


def _kind(value: Any) -> str:
    return {"dict": "structure", "bool": "truth value"}.get(type(value).__name__, type(value).__name__)


def _decoded(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise Misfit(f"holds bytes that are not text in UTF-8: {value[:20].hex()}") from None


def boolean(value: Any) -> bool:
    """Convert to a boolean."""
    text = str(value).strip().lower()
    text = text.removesuffix(".0") if text in ("1.0", "0.0") else text
    if text in TRUE or text in FALSE:
        return text in TRUE
    raise Misfit(f"{shown(value)} is neither true nor false")


def uuid_text(value: Any) -> str:
    """Convert to a uuid in its canonical form."""
    try:
        return str(value if isinstance(value, uuid.UUID) else uuid.UUID(text_of(value).strip()))
    except ValueError:
        raise Misfit(f"{shown(value)} is not a UUID") from None


def enum(symbols: Sequence[str]) -> Callable[[Any], str]:
    """Convert to one of the symbols of an enum."""

    def convert(value: Any) -> str:
        found = text_of(value).strip()
        if found not in symbols:
            raise Misfit(f"{shown(value)} is none of {', '.join(symbols)}")
        return found

    return convert


def octets(size: int | None) -> Callable[[Any], bytes]:
    """Convert to bytes, of a text in UTF-8; `size` is that of a fixed."""

    def convert(value: Any) -> bytes:
        found = value if isinstance(value, bytes) else text_of(value).encode()
        if size is not None and len(found) != size:
            raise Misfit(f"{shown(value)} has {len(found)} bytes, not {size}")
        return found

    return convert


def structured(schema: Any) -> Callable[[Any], Any]:
    """Convert to an array, a map or a record; a text is read as JSON."""
    plain = strip_logical_types(schema)

    def convert(value: Any) -> Any:
        found = value
        if isinstance(value, str):
            try:
                found = json.loads(value)
            except ValueError:
                raise Misfit(f"{shown(value)} is not JSON; the field is a {schema['type']}") from None
        found = _plain(found)
        try:
            validate(found, plain, raise_errors=True, strict=True)
        except SchemaParseException:
            return found  # it declares a type twice: the codec checks the value
        except ValidationError as error:
            raise Misfit(f"does not fit the field: {' '.join(str(error).split())[:200]}") from None
        return found

    return convert


def _plain(value: Any) -> Any:
    """Return the value with Decimals, which exact JSON has, as plain numbers, and pairs of a Parquet map as a dict."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        if value and all(isinstance(item, tuple) and len(item) == 2 for item in value):
            return {key: _plain(item) for key, item in value}
        return [_plain(item) for item in value]
    return value
