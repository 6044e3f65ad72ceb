"""The table of checks: what stops comes first, and an error of a check is a finding."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from agents.preflight import checks
from agents.preflight.checks import PreflightCheck, ask, refuse
from agents.preflight.finding import PreflightFinding, Severity
from agents.preflight.situation import Moment
from streams.errors import LogGap, SettingError, Unavailable


def situation(moment: Moment) -> Any:
    return SimpleNamespace(moment=moment)


def table(monkeypatch: pytest.MonkeyPatch, *looks: Any, moments: tuple[Moment, ...] = tuple(Moment)) -> None:
    rows = tuple(PreflightCheck(look.__name__, look, frozenset(moments)) for look in looks)
    monkeypatch.setattr(checks, "CHECKS", rows)


def notes(_: Any) -> Iterator[PreflightFinding]:
    yield PreflightFinding("notes", Severity.NOTE, "a note")
    yield PreflightFinding("notes", Severity.HARMS, "harm")


def breaks(_: Any) -> Iterator[PreflightFinding]:
    raise LogGap("the log was cut")
    yield


def away(_: Any) -> Iterator[PreflightFinding]:
    raise Unavailable("nobody answers")
    yield


def test_what_stops_comes_first_and_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    table(monkeypatch, notes, breaks, breaks)
    found = ask(situation(Moment.STATUS))
    assert [(each.severity, each.text) for each in found] == [
        ("stops", "the log was cut"),
        ("harms", "harm"),
        ("note", "a note"),
    ]
    with pytest.raises(SettingError) as refused:
        refuse(found, Severity.STOPS, Severity.HARMS)
    assert str(refused.value) == "the log was cut\nharm"
    refuse(found[2:], Severity.STOPS, Severity.HARMS)


def test_checks_are_made_at_their_moments(monkeypatch: pytest.MonkeyPatch) -> None:
    table(monkeypatch, notes, moments=(Moment.DEPLOY,))
    assert ask(situation(Moment.START)) == []
    assert len(ask(situation(Moment.DEPLOY))) == 2


def test_a_server_that_is_away_stops_a_deployment_and_no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    table(monkeypatch, away)
    for moment in (Moment.DEPLOY, Moment.RUNNING):
        with pytest.raises(Unavailable):
            ask(situation(moment))
    for moment in (Moment.START, Moment.STATUS):
        (found,) = ask(situation(moment))
        assert found.severity is Severity.NOTE and "nobody answers" in found.text
