"""Paces with a clock that advances only in their waits."""

import pytest

from agents.importing import pace as pacing
from agents.importing.pace import CHECK_EVERY, Rate, Speed, parse_rate, parse_speed


class Clock:
    """A clock that advances only in waits. Each wait returns `early`, after that share of its time."""

    def __init__(self, early: float = 1.0) -> None:
        self.now = 100.0
        self._early = early

    def monotonic(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds * self._early


@pytest.fixture(params=[1.0, 0.5])
def clock(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock(request.param)
    monkeypatch.setattr(pacing, "time", made)
    return made


def test_speed_waits_for_event_time_times_its_factor(clock: Clock) -> None:
    pace = Speed(1000.0, clock.wait)
    moments = []
    for moment in (5_000, 5_000, 25_000, 24_000, 55_000):
        pace.before(moment)
        moments.append(clock.now - 100.0)
    assert moments == pytest.approx([0.0, 0.0, 0.02, 0.02, 0.05], abs=0.001)


@pytest.mark.parametrize("rate", [10.0, 2000.0, 1e6])
def test_rate_keeps_its_mean(clock: Clock, rate: float) -> None:
    pace = Rate(rate, clock.wait)
    for number in range(1, 20 * CHECK_EVERY + 1):
        pace.before(0)
        assert number - rate * (clock.now - 100.0) < CHECK_EVERY + 0.001 * rate
    assert clock.now - 100.0 == pytest.approx(20 * CHECK_EVERY / rate, abs=0.001)


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
