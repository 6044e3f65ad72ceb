"""The pace of the models, on a clock that only its waits move."""

from collections.abc import Callable

import pytest

from agents.importing import in_step
from agents.importing.in_step import LEARNERS_IDLE_S, SCORING_IDLE_S, InStep
from agents.importing.learners import Learners, LearntTarget
from streams.errors import TidecastError


class News:
    """What a log brings: a step at each look, and nothing after the last one."""

    def __init__(self, steps: list[Callable[["News"], None]]) -> None:
        self.learners = Learners({"churn": LearntTarget(0, 2, ("a", "b"))})
        self.now, self.tick, self.looks = 100.0, -1, 0
        self._steps = steps

    def monotonic(self) -> float:
        return self.now

    def scored(self, tick: int) -> bool:
        return self.tick >= tick

    def take(self, seconds: float) -> bool:
        self.looks += 1
        if self._steps:
            self._steps.pop(0)(self)
            return True
        self.now += seconds
        return False


def tick(news: News) -> None:
    news.tick = 7


def example(news: News) -> None:
    news.learners.example(0, news.looks)


def switches(*arms: str) -> Callable[[News], None]:
    def step(news: News) -> None:
        for arm in arms:
            news.learners.switch("churn", arm, 1000)

    return step


def pace(
    monkeypatch: pytest.MonkeyPatch, *steps: Callable[[News], None], runs: bool = True
) -> tuple[InStep, News, list[str]]:
    news, told = News(list(steps)), list[str]()
    monkeypatch.setattr(in_step, "time", news)
    return InStep(news, lambda: None, lambda: runs, told.append), news, told  # type: ignore[arg-type]


def test_a_tick_waits_for_scoring_and_for_every_arm(monkeypatch: pytest.MonkeyPatch) -> None:
    waits, news, told = pace(monkeypatch, example, example, tick, switches("a"), switches("b"), example)
    waits.ticked(7)
    assert (news.looks, news.learners.behind(), told) == (5, [], [])


def test_an_arm_without_a_new_version_is_told_and_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    waits, news, told = pace(monkeypatch, example, example, tick, switches("a"))
    waits.ticked(7)
    assert told == ["No new version of churn/b comes: publishing goes on without waiting for it."]
    assert news.now - 100 > LEARNERS_IDLE_S
    waits.ticked(7)
    assert len(told) == 1


def test_a_scorer_that_is_gone_is_an_error_and_a_slow_one_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    gone, news, _ = pace(monkeypatch, example, runs=False)
    with pytest.raises(TidecastError, match="start `tidecast worker`"):
        gone.ticked(7)
    assert news.now - 100 > SCORING_IDLE_S
    slow, news, told = pace(monkeypatch)
    slow._tell = lambda text: (told.append(text), tick(news))  # type: ignore[assignment, func-returns-value]
    slow.ticked(7)
    assert told == ["Waiting for scoring: `tidecast status` shows what holds it up."]


def test_within_a_tick_a_learner_may_be_one_version_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = [example] * 3
    waits, news, _ = pace(monkeypatch, *steps, example, switches("a", "b"))
    for _ in range(3 * in_step.CHECK_EVERY):
        waits.before(0)
    assert news.looks == 3 and news.learners.behind() == ["churn/a", "churn/b"]
    for _ in range(in_step.CHECK_EVERY):
        waits.before(0)
    assert news.looks == 5 and news.learners.behind() == []
