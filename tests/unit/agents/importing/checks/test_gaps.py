"""Gaps in time."""

import numpy
import pytest

from agents.importing.checks.gaps import DAY_MS, Gap, gaps_in


def found(days: list[float], clock: float | None = None) -> list[Gap]:
    times = numpy.sort(numpy.array([round(day * DAY_MS) for day in days], dtype="<i8"))
    return gaps_in(times, None if clock is None else round(clock * DAY_MS))


MONTH = [n / 2 for n in range(60)]


@pytest.mark.parametrize("wrong", [380.0, -700.0, 60.0])
def test_a_row_far_from_all_others(wrong: float) -> None:
    (gap,) = found([*MONTH, wrong])
    assert gap.is_far and gap.far == (1, round(wrong * DAY_MS))


def test_a_hole_is_no_outlier() -> None:
    (gap,) = found([*MONTH, *(200 + day for day in MONTH)])
    assert not gap.is_far and (gap.before, gap.after) == (60, 60)


def test_two_wrong_rows_make_two_gaps() -> None:
    assert [gap.far[1] // DAY_MS for gap in found([*(n / 100 for n in range(500)), 400, -900])] == [-900, 400]


def test_a_file_that_comes_long_after_the_log() -> None:
    assert found(MONTH, clock=-1) == []
    assert found(MONTH, clock=-200) == [Gap(-200 * DAY_MS, 0, 0, 60)]
    assert found(MONTH, clock=500) == []


@pytest.mark.parametrize(
    "days",
    [[], [1], [1, 500], MONTH, [0, 0, 0, 0], [30 * n for n in range(12)], [n + 12 * (n // 20) for n in range(60)]],
)
def test_what_is_usual_is_not_told(days: list[float]) -> None:
    """Few rows, or rows that come rarely and in bursts, are no reason for a doubt."""
    assert found(days) == []
