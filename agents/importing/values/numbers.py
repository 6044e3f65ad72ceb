"""Converts to numbers: integers, doubles and Avro's decimals."""

from collections.abc import Callable
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from math import isfinite
from typing import Any

from agents.importing.values.misfit import Misfit, shown

Parse = Callable[[Any], Decimal]
"""From a value to the number as it was written; see Notation.decimal_parser."""
RANGES = {"int": 2**31, "long": 2**63}
LARGEST_FLOAT = 3.4028234663852886e38
DIGITS = 60
"""Digits with which a number is multiplied by its scale: exact for everything that a field can hold."""


def integer(parse: Parse, scale: Decimal | None, kind: str) -> Callable[[Any], int]:
    """Convert to an int or long. With a scale the product is rounded half to even."""
    limit = RANGES[kind]

    def convert(value: Any) -> int:
        if scale is None and type(value) is int:
            whole = value
        else:
            number = parse(value)
            if not number.is_finite() or number.adjusted() > 30:
                raise Misfit(f"{shown(value)} is not finite, or too large")
            if scale is not None:
                number = _times(number, scale).to_integral_value(ROUND_HALF_EVEN)
            elif number != number.to_integral_value():
                raise Misfit(f"{shown(value)} is not a whole number; give the field a scale")
            whole = int(number)
        if not -limit <= whole < limit:
            raise Misfit(f"{shown(value)} is too large")
        return whole

    return convert


def double(parse: Parse, scale: Decimal | None, kind: str) -> Callable[[Any], float]:
    """Convert to a finite double or float."""
    limit = LARGEST_FLOAT if kind == "float" else float("inf")

    def convert(value: Any) -> float:
        if type(value) is float and scale is None:
            result = value
        else:
            number = parse(value)
            result = float(number if scale is None else _times(number, scale))
        if not isfinite(result) or abs(result) > limit:
            raise Misfit(f"{shown(value)} is not a finite number")
        return result

    return convert


def decimal(
    parse: Parse, scale: Decimal | None, precision: int, digits: int, size: int | None
) -> Callable[[Any], bytes]:
    """Convert to Avro's decimal: the unscaled integer in big-endian two's complement.

    digits: those after the point. size: bytes of a fixed; None for Avro bytes."""

    def convert(value: Any) -> bytes:
        number = parse(value) if scale is None else _times(parse(value), scale)
        if not number.is_finite() or number.adjusted() > precision:
            raise Misfit(f"{shown(value)} is not finite, or too large")
        with localcontext() as context:
            context.prec = DIGITS + precision
            unscaled = number.scaleb(digits)
            if unscaled != unscaled.to_integral_value():
                raise Misfit(f"{shown(value)} has more than {digits} digits after the point")
        whole = int(unscaled)
        if abs(whole) >= 10**precision:
            raise Misfit(f"{shown(value)} has more than {precision} digits")
        least = (whole.bit_length() if whole >= 0 else (whole + 1).bit_length()) // 8 + 1
        return whole.to_bytes(size or least, "big", signed=True)

    return convert


def _times(number: Decimal, scale: Decimal) -> Decimal:
    with localcontext() as context:
        context.prec = DIGITS
        return number * scale
