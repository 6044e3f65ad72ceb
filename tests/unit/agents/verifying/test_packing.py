from math import nan
from struct import pack
from typing import Any

import pytest

from agents.verifying.packing import DAY_MS, day, packer


@pytest.mark.parametrize(
    ("type", "value", "packed"),
    [
        ("Int32", -2, b"\xfe\xff\xff\xff"),
        ("UInt64", 2**64 - 1, b"\xff" * 8),
        ("Bool", True, b"\x01"),
        ("Float64", nan, b"\x00\x00\x00\x00\x00\x00\xf8\x7f"),
        ("DateTime64(3, 'UTC')", -1, b"\xff" * 8),
        ("String", "é", b"\x02\xc3\xa9"),
        ("String", b"\xff", b"\x01\xff"),
        ("String", "x" * 300, b"\xac\x02" + b"x" * 300),
        ("LowCardinality(String)", "ab", b"\x02ab"),
        ("Nullable(Int32)", None, b"\x01"),
        ("Nullable(DateTime64(3, 'UTC'))", 5, b"\x00\x05" + b"\x00" * 7),
        ("Array(LowCardinality(String))", ["a", ""], b"\x02\x01a\x00"),
        ("Array(Float64)", [1.5], b"\x01" + pack("<d", 1.5)),
        ("Map(LowCardinality(String), Float64)", {"a": 1}, b"\x01\x01a" + pack("<d", 1)),
    ],
)
def test_values_are_packed_as_row_binary(type: str, value: Any, packed: bytes) -> None:
    assert packer(type)(value) == packed


def test_days_before_1970_are_counted_downwards() -> None:
    assert [day(ms) for ms in (0, DAY_MS - 1, -1)] == [pack("<i", number) for number in (0, 0, -1)]


def test_an_unknown_type_is_refused() -> None:
    with pytest.raises(ValueError, match="Decimal"):
        packer("Decimal(9, 2)")
