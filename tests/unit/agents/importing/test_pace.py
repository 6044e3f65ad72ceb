"""Paces, with a wait that is recorded."""

import time

import pytest

from agents.importing.pace import Rate, Speed, parse_rate, parse_speed


def test_speed_waits_for_event_time_times_its_factor() -> None:
    waited: list[float] = []

    def wait(seconds: float) -> None:
        waited.append(seconds)
        time.sleep(seconds)

    pace = Speed(1000.0, wait)
    began = time.monotonic()
    for moment in (5_000, 5_000, 25_000, 55_000):
        pace.before(moment)
    assert 0.049 <= time.monotonic() - began < 5 and len(waited) >= 2


def test_rate_keeps_its_mean() -> None:
    pace = Rate(2000.0, time.sleep)
    began = time.monotonic()
    for _ in range(200):
        pace.before(0)
    assert time.monotonic() - began >= 0.09


@pytest.mark.parametrize(("text", "value"), [("500/s", 500.0), ("0.5", 0.5)])
def test_rates(text: str, value: float) -> None:
    assert parse_rate(text) == value


@pytest.mark.parametrize(("text", "value"), [("86400x", 86400.0), ("1.5", 1.5)])
def test_speeds(text: str, value: float) -> None:
    assert parse_speed(text) == value


@pytest.mark.parametrize("text", ["", "0", "-1", "fast", "1/min", "0x"])
def test_what_is_neither(text: str) -> None:
    with pytest.raises(ValueError, match="write one such as"):
        parse_rate(text)
    with pytest.raises(ValueError, match="write one such as"):
        parse_speed(text)
