"""Ids."""

from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from agents.importing.values.misfit import Misfit
from agents.importing.values.texts import id_of


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("c1", "c1"),
        (" c1\u00a0", "c1"),
        ("12345.0", "12345"),
        ("12345", "12345"),
        ("1.50", "1.50"),
        ("007", "007"),
        (12345.0, "12345"),
        (Decimal("17.0"), "17"),
        (12345, "12345"),
        (b"c0", "c0"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    ],
)
def test_ids(value: Any, expected: str) -> None:
    assert id_of(value) == expected


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("1.23457E+12", "a number without its last digits"),
        (1e17, "a float without its last digits"),
        (1.5, "not a whole number"),
        (float("nan"), "not a whole number"),
        (True, "it is a truth value"),
        ({"a": 1}, "it is a structure"),
        (["a"], "it is a list"),
        (b"\xff", "not text in UTF-8"),
        ("c1\nc2", "a line break or a control character"),
        ("a\x1b[31m", "a control character"),
        ("  ", "is empty"),
    ],
)
def test_what_is_no_id(value: Any, reason: str) -> None:
    with pytest.raises(Misfit, match=reason):
        id_of(value)
