"""The demo's memory and output."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from agents.demo.story import DAY_MS, Plan, Story, auc
from agents.demo.summary import Closing, missing, told
from agents.demo.view import Pulse, plain_line, screen
from agents.operations.status import SystemStatus
from streams.usecases import load_use_case

TELECOM = load_use_case("telecom")
PLAN = Plan(0, 160, 100, {"churn": 14, "spend": 30}, {"churn": True, "spend": False})


def example(target: str, day: float, label: float, **answers: float) -> dict[str, Any]:
    given = [{"arm": arm, "value": value, "version": "", "fallback": False} for arm, value in answers.items()]
    return {"target": target, "asked_at": int(day * DAY_MS), "label": label, "answers": given}


def alert(number: int, state: str = "open") -> dict[str, Any]:
    return {"alert_id": f"a{number}", "state": state, "severity": "critical", "message": f"message {number}"}


@given(st.lists(st.tuples(st.integers(0, 4), st.sampled_from([0.0, 1.0])), min_size=1, max_size=30))
def test_auc_is_the_share_of_pairs_in_order(rows: list[tuple[int, float]]) -> None:
    ones = [value for value, label in rows if label]
    zeros = [value for value, label in rows if not label]
    found = auc([float(value) for value, _ in rows], [label for _, label in rows])
    if not ones or not zeros:
        assert math.isnan(found)
    else:
        pairs = [1.0 if one > zero else 0.5 if one == zero else 0.0 for one in ones for zero in zeros]
        assert found == pytest.approx(sum(pairs) / len(pairs))


def story_of(curve: dict[int, float]) -> Story:
    story = Story(PLAN)
    story.curve.update(curve)
    return story


def test_quality_is_of_the_cohort_whose_horizon_is_over() -> None:
    story = Story(PLAN)
    for day in range(30):
        story.take("tidecast.LabelledExample", example("churn", day + 0.5, day % 2, logistic=day % 2, prior=0.1), 30)
        story.take("tidecast.LabelledExample", example("spend", day, 10.0, linear=7.0, prior=12.0), 30)
    assert story.matured("churn", 30.9) == 16
    assert story.quality("churn", 16) == {"logistic": 1.0, "prior": 0.5}
    assert story.quality("spend", 16) == {"linear": 3.0, "prior": 2.0}
    assert story.quality("churn", 1000) == {}
    story.note("churn", "logistic", 30.9)
    assert story.curve == {16: 1.0}


def test_the_campaign_is_told_by_the_cohorts_it_touches() -> None:
    story = story_of({70: 0.7, 86: 0.8, 90: 0.75, 95: 0.6, 110: 0.72})
    assert (story.before, story.dip, story.after) == (0.8, (95, 0.6), 0.72)
    assert story.recovered
    assert not story_of({86: 0.8, 95: 0.6, 110: 0.65}).recovered
    assert not story_of({86: 0.8}).recovered and not story_of({}).recovered


def test_alerts_open_once_and_are_told_by_the_day() -> None:
    story = Story(PLAN)
    for record, today in ((alert(1), 50.0), (alert(2), 101.0), (alert(2), 102.0), (alert(1, "closed"), 103.0)):
        story.take("tidecast.DriftAlert", record, today)
    assert [a.day for a in story.opened(False)] == [50.0] and [a.day for a in story.opened(True)] == [101.0]
    assert story.closed == {"a1"}


def closing_of(story: Story, simulated: int = 10, accepted: int = 10) -> Closing:
    status = SystemStatus("telecom", "d", 1, counters={"accepted": accepted, "late": 0})
    return Closing(story, status, simulated, 3.0)


def test_the_summary_names_what_was_promised_and_not_seen() -> None:
    assert missing(closing_of(Story(PLAN), 11)) == [
        "no prediction was seen",
        "no alert opened after the campaign began",
        "the model did not recover",
        "11 events were simulated and 10 accounted for",
    ]
    assert "not enough questions" in told(closing_of(Story(PLAN)))
    story = story_of({86: 0.8, 95: 0.6, 110: 0.72})
    story.counts["predictions"] = 1
    story.take("tidecast.DriftAlert", alert(1), 101.0)
    assert missing(closing_of(story)) == []
    text = told(closing_of(story))
    assert "0.800 before the campaign (day 100), down to 0.600" in text and "message 1" in text
    assert "published 10 = 10 accepted + 0 duplicate + 0 late + 0 dead" in text


def test_the_view_at_every_stage() -> None:
    story, pulse = Story(PLAN), Pulse()
    console = Console(width=120, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(screen(story, pulse, TELECOM))
    for day in range(120):
        arms = {arm.name: 0.1 * (day % 3) for arm in TELECOM.targets[0].arms}
        story.take("tidecast.LabelledExample", example("churn", day, float(day % 3 > 1), **arms), day)
        story.note("churn", "logistic", float(day))
    prediction = {"target": "churn", "customer_id": "c-9", "value": 0.25, "asked_at": 0}
    story.take("tidecast.Prediction", {**prediction, "reasons": [{"feature": "age", "value": -0.5}]}, 120)
    story.take("tidecast.DriftAlert", alert(1), 101.0)
    pulse.today, pulse.events = 120.0, 2500.0
    console.print(screen(story, pulse, TELECOM))
    text = console.export_text()
    for expected in ("day 120 of 160", "2,500 events/s", "c-9", "25.0%", "age -0.50", "message 1", "campaign"):
        assert expected in text
    assert "churn AUC: logistic 1" in plain_line(story, pulse, TELECOM)
