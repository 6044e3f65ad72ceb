"""When two clocks count as different, and what is said."""

import logging
from collections.abc import Iterator

import pytest

from agents.runtime.health import StageHealth
from agents.runtime.metrics import CLOCK_SKEW
from agents.runtime.ticking.clock_check import KAFKA, RED_S, REDIS, WARN_S, ClockCheck, lead

NOW = 1_700_000_000.0


@pytest.fixture
def health() -> Iterator[StageHealth]:
    yield StageHealth("clock")
    CLOCK_SKEW.clear()


def shown(check: ClockCheck, server: str, ahead: float) -> None:
    """Our clock is `ahead` of the server's; the answer took no time."""
    check.compare(server, NOW + ahead, NOW + ahead, NOW)


def test_only_what_an_answers_time_does_not_explain_counts() -> None:
    assert lead(NOW, NOW + 30, NOW + 12) == 0
    assert lead(NOW, NOW + 30, NOW - 2) == 2
    assert lead(NOW, NOW + 30, NOW + 33) == -3


@pytest.mark.parametrize("way", [1, -1])
def test_red_beyond_the_limit_and_green_again(health: StageHealth, way: int) -> None:
    check = ClockCheck(health)
    shown(check, KAFKA, way * (RED_S - 1))
    assert not health.problem
    shown(check, KAFKA, way * (RED_S + 1))
    assert "1 min 1 s " + ("ahead of" if way > 0 else "behind") + " Kafka's" in health.problem
    shown(check, KAFKA, 0.0)
    assert not health.problem


def test_a_warning_is_said_once_until_it_is_over(health: StageHealth, caplog: pytest.LogCaptureFixture) -> None:
    check = ClockCheck(health)
    with caplog.at_level(logging.WARNING):
        for ahead in (WARN_S - 1, 2 * WARN_S, 2 * WARN_S + 0.5, 0.0, 2 * WARN_S):
            shown(check, KAFKA, ahead)
    assert len(caplog.records) == 2
    assert not health.problem


def test_a_drifting_difference_is_not_said_again_but_a_new_one_is(health: StageHealth) -> None:
    check = ClockCheck(health)
    shown(check, KAFKA, 7200.0)
    said = health.problem
    shown(check, KAFKA, 7201.0)
    assert health.problem == said
    shown(check, KAFKA, -7200.0)
    assert "behind" in health.problem
    shown(check, KAFKA, 0.0)
    shown(check, KAFKA, -7200.0)
    assert "behind" in health.problem


@pytest.mark.parametrize(("redis", "agrees"), [(7200.0, "Kafka's"), (0.0, "this machine's"), (-7200.0, "")])
def test_redis_says_whose_clock_is_wrong(health: StageHealth, redis: float, agrees: str) -> None:
    check = ClockCheck(health)
    shown(check, REDIS, redis)
    shown(check, KAFKA, 7200.0)
    assert (f"Redis's clock agrees with {agrees}" in health.problem) == bool(agrees)
    assert ("agrees" in health.problem) == bool(agrees)


def test_the_witness_may_come_later(health: StageHealth) -> None:
    check = ClockCheck(health)
    shown(check, KAFKA, 7200.0)
    assert "agrees" not in health.problem
    shown(check, REDIS, 7200.0)
    assert "agrees with Kafka's" in health.problem


def test_ages_are_told_by_kafkas_clock(health: StageHealth) -> None:
    check = ClockCheck(health)
    assert check.kafka_time(NOW) == NOW
    shown(check, KAFKA, 7200.0)
    assert check.kafka_time(NOW) == NOW - 7200.0


def test_a_difference_with_redis_alone_is_a_metric(health: StageHealth) -> None:
    check = ClockCheck(health)
    shown(check, REDIS, 7200.0)
    assert not health.problem
    assert CLOCK_SKEW.labels("redis")._value.get() == 7200.0


def test_writers_clocks_are_no_evidence(health: StageHealth) -> None:
    check = ClockCheck(health)
    check.create_time()
    assert "LogAppendTime" in health.problem
    shown(check, KAFKA, 0.0)
    assert not health.problem
