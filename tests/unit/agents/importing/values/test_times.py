"""Texts, dates and numbers to times."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.importing.values.misfit import Misfit
from agents.importing.values.rule import Rule
from agents.importing.values.times import time_converter

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("format", "zone", "value", "expected"),
    [
        (None, "UTC", "1997-01-01", "1997-01-01T00:00:00+00:00"),
        (None, "UTC", " 2024-05-01T12:00:00.123Z ", "2024-05-01T12:00:00.123+00:00"),
        (None, "UTC", "2024-05-01 12:00:00.123456789", "2024-05-01T12:00:00.123+00:00"),
        (None, "UTC", "2024-05-01 12:00:00 UTC", "2024-05-01T12:00:00+00:00"),
        (None, "UTC", "2024-05-01T12:00:00+0200", "2024-05-01T10:00:00+00:00"),
        (None, "Europe/Berlin", "2024-07-01T12:00:00", "2024-07-01T10:00:00+00:00"),
        (None, "Europe/Berlin", "2024-07-01T12:00:00Z", "2024-07-01T12:00:00+00:00"),
        ("%d.%m.%Y", "UTC", "31.12.2023", "2023-12-31T00:00:00+00:00"),
        ("s", "UTC", "1.5", "1970-01-01T00:00:01.500+00:00"),
        ("s", "UTC", "1719070641", "2024-06-22T15:37:21+00:00"),
        ("ms", "UTC", "1719070641945", "2024-06-22T15:37:21.945+00:00"),
        ("us", "UTC", 1719070641945000, "2024-06-22T15:37:21.945+00:00"),
        ("ns", "UTC", 1719070641945000000, "2024-06-22T15:37:21.945+00:00"),
        ("ms", "UTC", 1500, "1970-01-01T00:00:01.500+00:00"),
        (None, "UTC", date(2020, 2, 29), "2020-02-29T00:00:00+00:00"),
        (None, "UTC", datetime(2020, 2, 29, 1), "2020-02-29T01:00:00+00:00"),
        (None, "UTC", "0001-01-01", "0001-01-01T00:00:00+00:00"),
    ],
)
def test_times(format: str | None, zone: str, value: Any, expected: str) -> None:
    moment = datetime.fromisoformat(expected)
    assert time_converter(format, ZoneInfo(zone))(value) == round((moment - EPOCH).total_seconds() * 1000)


@pytest.mark.parametrize(
    ("format", "value", "reason"),
    [
        (None, "31.12.2023", "is not a time in the format ISO 8601"),
        (None, 17, "set the format to 's' or 'ms'"),
        (None, "1719070641945", "set the format to 's' or 'ms'"),
        (None, "1719070641945.0", "set the format to 's' or 'ms'"),
        (None, "20240501", "is not a time"),
        (None, "2024-W10-1", "is not a time"),
        (None, "2024-13-01", "is not a time"),
        (None, "", "is not a time"),
        ("s", "1719070641945", "it would be one in the format 'ms'"),
        ("ms", "1719070641945000", "it would be one in the format 'us'"),
        ("ms", "1719070641", "it would be one in the format 's'"),
        ("ms", "1e999999", "is not a time"),
        ("ms", "soon", "is not a number"),
        ("s", datetime(2024, 5, 1), "leave out the format"),
    ],
)
def test_what_is_no_time(format: str | None, value: Any, reason: str) -> None:
    with pytest.raises(Misfit, match=reason):
        time_converter(format, UTC)(value)


def test_an_hour_that_occurs_twice_is_told_apart_by_the_rows_around_it() -> None:
    start = datetime(2025, 10, 26, 0, 30, tzinfo=UTC) - timedelta(hours=1)
    moments = [start + timedelta(minutes=20 * step) for step in range(12)]
    texts = [moment.astimezone(BERLIN).strftime("%Y-%m-%dT%H:%M:%S") for moment in moments]
    assert len(set(texts)) < len(texts)
    for order in (1, -1):
        convert = time_converter(None, BERLIN)
        found = [convert(text) for text in texts[::order]]
        assert found == [round((moment - EPOCH).total_seconds() * 1000) for moment in moments[::order]]
        assert convert.twice == 6


def test_an_hour_that_does_not_occur_is_told() -> None:
    with pytest.raises(Misfit, match="2025-03-30 02:30 does not exist in Europe/Berlin"):
        time_converter(None, BERLIN)("2025-03-30T02:30:00")


@given(
    st.datetimes(datetime(1980, 1, 1), datetime(2037, 1, 1), timezones=st.just(UTC)),
    st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "UTC"]),
)
def test_every_instant_comes_back_from_its_local_time_with_offset(moment: datetime, zone: str) -> None:
    expected = (moment - EPOCH) // timedelta(milliseconds=1)
    assert time_converter(None, UTC)(moment.astimezone(ZoneInfo(zone)).isoformat()) == expected
    local = moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    assert abs(time_converter(None, ZoneInfo(zone))(local) - expected) in (0, 1_800_000, 3_600_000)


def test_a_timestamp_field_takes_its_format_from_the_rule() -> None:
    schema = {"type": "long", "logicalType": "timestamp-millis"}
    assert Rule("c", format="%Y").convert_for(schema)("1971") == 365 * 86_400_000
