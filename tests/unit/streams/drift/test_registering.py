"""A statistic and a loss detector, each registered with one line: their alerts and their state."""

import math
from typing import Any

import pytest

from schemas.topics import DRIFT_ALERTS
from streams.drift.loss_detector import Change, LossDetector
from streams.drift.psi import bins, by_chance
from streams.drift.registry import DETECTORS, STATISTICS
from streams.drift.sketch import Histogram
from streams.drift.statistic import LEAST_VALUES, DriftFinding, Reference, Statistic
from streams.judging.state import new_state
from tests.replay.examples import PARTITIONS, ExampleLog
from tests.replay.test_judging import calm, drifting, records, stored
from tests.unit.streams.monitoring.test_monitoring import days
from tests.unit.streams.monitoring.world import World


class JensenShannon(Statistic):
    """Jensen-Shannon divergence in nats. By chance it is about an eighth of the PSI."""

    name = "jensen_shannon"
    critical = 0.1

    @classmethod
    def compare(cls, reference: Reference, current: Histogram, alpha: float) -> DriftFinding:
        past, design = reference.histogram, reference.design
        table = bins(past, current, design)
        shares = [(a / past.total, b / current.total) for a, b in table]
        value = max(sum(_part(p, q) + _part(q, p) for p, q in shares) / 2, 0.0)
        tested = min(past.total, current.total) >= LEAST_VALUES * design
        return DriftFinding(cls.name, value, max(0.02, by_chance(table, alpha) * design / 8) if tested else None)


def _part(p: float, q: float) -> float:
    return p * math.log(2 * p / (p + q)) if p else 0.0


class PageHinkley(LossDetector):
    """The sum of the losses' excess over their mean, above its minimum (Page 1954). It reports rises only."""

    name = "page_hinkley"
    SLACK, BOUND, GRACE = 0.05, 15.0, 200

    def __init__(self, delta: float) -> None:
        self._start()

    def _start(self) -> None:
        self._count, self._total, self._sum, self._least, self._since, self._recent = 0, 0.0, 0.0, 0.0, 0, 0.0

    @property
    def mean(self) -> float:
        return self._total / self._count if self._count else 0.0

    def update(self, loss: float) -> Change | None:
        self._count += 1
        self._total += loss
        self._sum += loss - self.mean - self.SLACK
        self._since += 1
        self._recent += loss
        if self._sum <= self._least or self._count < self.GRACE:
            self._least, self._since, self._recent = self._sum, 0, 0.0
            return None
        if self._sum - self._least < self.BOUND:
            return None
        rest = self._count - self._since
        before, after = (self._total - self._recent) / rest, self._recent / self._since
        change = Change(before, after, rest, self._since, self.BOUND)
        self._start()
        return change

    def pack(self) -> list[Any]:
        return [self._count, self._total, self._sum, self._least, self._since, self._recent]

    def unpack(self, state: list[Any]) -> None:
        self._count, self._total, self._sum, self._least, self._since, self._recent = state


def test_a_statistic_opens_and_closes_alerts_under_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(STATISTICS, "jensen_shannon", JensenShannon)
    world = World()
    days(world, 5, 300)
    days(world, 3, 300, shift_from=0, first=5, seed=1)
    days(world, 3, 300, first=8, seed=2)
    world.run()
    alerts = [alert for alert in world.drift_alerts() if alert["statistic"] == "jensen_shannon"]
    assert [(alert["feature"], alert["state"]) for alert in alerts] == [
        ("count", "open"),
        ("mean", "open"),
        ("count", "closed"),
        ("mean", "closed"),
    ]
    assert alerts[0]["severity"] == "critical" and "JENSEN_SHANNON" in alerts[0]["message"]
    assert {alert["statistic"] for alert in world.drift_alerts()} == {"psi", "ks", "jensen_shannon"}


def test_a_loss_detector_opens_alerts_under_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    log = drifting()
    _, before = calm(log)
    monkeypatch.setitem(DETECTORS, "page_hinkley", PageHinkley)
    store, after = calm(log)
    alerts = records(log, after, DRIFT_ALERTS)
    opened = [alert for alert in alerts if alert["statistic"] == "page_hinkley" and alert["state"] == "open"]
    assert [alert["arm"] for alert in opened[:1]] == ["logistic"] and opened[0]["alert_id"]
    own = [(a["arm"], a["state"], a["value"]) for a in alerts if a["statistic"] == "adwin"]
    assert own == [(a["arm"], a["state"], a["value"]) for a in records(log, before, DRIFT_ALERTS)]
    _, blob = stored(log, store)
    assert judged_again(log, blob) == blob


def test_state_that_knew_no_such_detector_is_read_and_the_other_way_round(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stored state without a detector can be read, and the new detector starts at its first example. When a detector is
    removed, everything else continues."""
    log = drifting()
    store, _ = calm(log)
    _, without = stored(log, store)
    with monkeypatch.context() as patch:
        patch.setitem(DETECTORS, "page_hinkley", PageHinkley)
        grown = judged_again(log, without)
        assert len(grown) > len(without)
        assert judged_again(log, grown) == grown
    assert judged_again(log, grown) == without


def judged_again(log: ExampleLog, blob: bytes) -> bytes:
    """Read and write a stored state with the detectors that are registered now."""
    state = new_state(log.target, log.use_case, PARTITIONS)
    state.unpack(blob)
    return state.pack()
