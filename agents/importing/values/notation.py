"""How a file writes its values: the decimal mark, the mark between thousands, and what stands for a missing value."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from agents.importing.values.misfit import Misfit, shown

MISSING = frozenset({"na", "n/a", "#n/a", "<na>", "nan", "null", "none", "nil", "\\n"})
"""Texts that stand for a missing value where the mapping does not say which do; upper and lower case are the same."""
SPACES = "[  \u00a0\u2009\u202f]"
"""What separates thousands where the mapping says that a space does."""
APOSTROPHES = "['\u2019]"
AMBIGUOUS = re.compile(r"[+-]?[1-9]\d{0,2}(\.\d{3})+")
"""1.200 is 1.2 or, in many countries, twelve hundred."""


@dataclass(frozen=True, slots=True)
class Notation:
    """decimal: the decimal mark. thousands: the mark between thousands; "" for none.

    missing: the texts that stand for a missing value; None is MISSING, but for values that are texts themselves.
    doubtful: whether 1.200 is refused as ambiguous."""

    decimal: str = "."
    thousands: str = ""
    missing: tuple[str, ...] | None = None
    doubtful: bool = False

    def is_missing(self, value: Any) -> bool:
        """Return whether a value that is no text by itself (a number, a time, an id) is missing."""
        if value is None:
            return True
        if isinstance(value, str):
            text = value.strip()
            return not text or (text.lower() in MISSING if self.missing is None else text in self.missing)
        return bool(value != value) if isinstance(value, float | Decimal) else False

    def is_missing_text(self, value: Any) -> bool:
        """Return whether a value of a text field is missing. An empty text is a text."""
        if isinstance(value, str):
            return self.missing is not None and value.strip() in self.missing
        return self.is_missing(value)

    def decimal_parser(self) -> Callable[[Any], Decimal]:
        """Return a function from a value to the number as it was written. It raises Misfit.

        A float becomes its shortest text."""
        plain = self.decimal == "." and not self.thousands
        group = _class_of(self.thousands)
        whole = rf"(?:\d{{1,3}}(?:{group}\d{{3}})+|\d+)" if group else r"\d+"
        point = re.escape(self.decimal)
        form = re.compile(rf"[+-]?(?:{whole}(?:{point}\d*)?|{point}\d+)(?:[eE][+-]?\d+)?", re.ASCII)
        groups = re.compile(group) if group else None

        def parse(value: Any) -> Decimal:
            if isinstance(value, str):
                text = value.strip()
                if form.fullmatch(text) is None or (self.doubtful and AMBIGUOUS.fullmatch(text)):
                    raise Misfit(self._why_no_number(text))
                if plain:
                    return Decimal(text)
                text = groups.sub("", text) if groups else text
                return Decimal(text.replace(self.decimal, "."))
            if isinstance(value, Decimal):
                return value
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise Misfit(f"{shown(value)} is not a number")
            return Decimal(str(value))

        return parse

    def _why_no_number(self, text: str) -> str:
        if not text:
            return "is empty"
        if self.doubtful and AMBIGUOUS.fullmatch(text):
            return f'{shown(text)} is ambiguous: write decimal = "." or decimal = "," in the mapping'
        other = "," if self.decimal == "." else "."
        if re.fullmatch(r"[+-]?[\d'’\s.,]*\d[\d'’\s.,]*", text):
            hint = "" if self.decimal in text and other not in text else f'decimal = "{other}" or '
            return (
                f"{shown(text)} is not a number; write {hint}the mark between thousands (thousands = …) in the mapping"
            )
        return f"{shown(text)} is not a number"


def _class_of(thousands: str) -> str:
    if not thousands:
        return ""
    return {" ": SPACES, "'": APOSTROPHES}.get(thousands, re.escape(thousands))
