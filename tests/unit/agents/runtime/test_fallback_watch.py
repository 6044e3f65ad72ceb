"""Many fallbacks of a champion warn; the untrained beginning, other arms and single ones do not."""

import pytest

from agents.runtime.fallback_watch import LEAST, WINDOW, FallbackWatch
from streams.log import Answered

CHAMPIONS = {"churn": "logistic", "spend": "linear"}


def slice_(asked: int, target: str = "churn", arm: str = "", **causes: int) -> Answered:
    found = {(target, arm or CHAMPIONS[target], cause): count for cause, count in causes.items()}
    return Answered(CHAMPIONS, {target: asked}, found)


def warned(*slices: Answered, share: float = 0.05) -> list[bool]:
    """Whether there is a warning after each slice."""
    watch, seen = FallbackWatch(share), []
    for each in slices:
        watch.add(each)
        seen.append(bool(watch.warning))
    return seen


def test_the_untrained_beginning_is_normal() -> None:
    beginning = [slice_(500, untrained=500)] * 10
    assert warned(*beginning, slice_(500, untrained=490), slice_(500)) == [False] * 12


def test_a_share_above_the_limit_warns_until_it_is_over() -> None:
    assert warned(slice_(WINDOW, failed=50)) == [False]
    assert warned(slice_(WINDOW, failed=51)) == [True]
    assert warned(slice_(WINDOW, failed=51), slice_(WINDOW)) == [True, False]
    assert warned(*[slice_(WINDOW // 10, failed=10)] * 9) == [True] * 9


def test_only_the_latest_answers_count() -> None:
    assert warned(*[slice_(WINDOW)] * 20, slice_(60, not_finite=60)) == [False] * 20 + [True]


def test_untrained_answers_do_not_hide_those_of_the_first_version() -> None:
    """Of 1,000 questions 200 came after the first version, and each of its answers failed."""
    assert warned(slice_(WINDOW, untrained=800, other_inputs=200)) == [True]


@pytest.mark.parametrize(
    "harmless",
    [slice_(LEAST - 1, failed=LEAST - 1), slice_(WINDOW, arm="tree", failed=WINDOW), slice_(0)],
    ids=["too few to say", "a challenger", "nothing asked"],
)
def test_what_does_not_warn(harmless: Answered) -> None:
    assert warned(harmless) == [False]


def test_no_limit_gives_no_warning() -> None:
    assert warned(slice_(WINDOW, failed=WINDOW), share=0.0) == [False]


def test_a_warning_names_champion_cause_and_where_to_look_and_does_not_change() -> None:
    watch = FallbackWatch(0.05)
    watch.add(slice_(WINDOW, failed=60, other_inputs=200))
    first = watch.warning
    assert "More than 5% of the latest answers of the champion churn/logistic" in first
    assert "(other_inputs)" in first and "`tidecast status`" in first
    watch.add(slice_(WINDOW, failed=300))
    assert watch.warning == first, "a log that repeats itself with new numbers is not read"
    watch.add(slice_(WINDOW, "spend", failed=300))
    assert watch.warning.startswith(first) and "spend/linear" in watch.warning
