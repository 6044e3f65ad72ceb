"""The benchmark on the session's stack, small: every figure of a drain, a latency step and a kill is there."""

import pytest

from load.bench.figures import Figures
from load.bench.parts import kill_midway, recovery
from load.bench.parts.draining import together
from load.bench.parts.latency import ladder
from load.bench.system import EXPLICIT_OUTCOMES, BenchSystem
from tests.integration.conftest import Stack

pytestmark = pytest.mark.integration


def test_drain_ladder_and_kill(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDECAST_DATA", str(stack.folder))
    for name in ("WARM_S", "BROKER_WARM_S"):
        monkeypatch.setattr(f"load.bench.parts.latency.{name}", 1)
    for name, value in (("RATE", 300), ("BEFORE_S", 1), ("AFTER_S", 3)):
        monkeypatch.setattr(f"load.bench.parts.recovery.{name}", value)
    figures = Figures()
    system = BenchSystem(2)
    together(system, system.job.backlog(8000), figures, ("scoring", "learning"), "drain")
    system = BenchSystem(2)
    ladder(system, system.job.backlog(1000), (100,), 2, 1, figures)
    recovery.measure(BenchSystem(2), 200, 1, figures)
    found = {figure.name: figure.median for figure in figures.all()}
    assert found["drain: drain"] > 0 and "drain: CPU of scoring" in found
    assert (
        0 < found["event to prediction readable at 100/s: p50"] <= found["event to prediction readable at 100/s: max"]
    )
    assert found["kill -9 with 200 customers: missing"] == 0
    assert 0 < found["kill -9 with 200 customers: until predictions come again"] < 60
    assert figures.extras["latency_histograms_us"]["100"][0]


def test_a_kill_midway_leaves_no_trace(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDECAST_DATA", str(stack.folder))
    figures = Figures()
    kill_midway.measure(BenchSystem(2, use_case=EXPLICIT_OUTCOMES), 5000, figures)
    found = {figure.name.removeprefix("kill -9 midway: "): figure.median for figure in figures.all()}
    assert found["labels learnt by top_up"] == found["labels learnt by silence"] == 500
    wrong = {
        name: value for name, value in found.items() if not name.startswith(("labels", "until", "longest", "sent"))
    }
    assert wrong == {
        "taken twice in spite of the marks": 0,
        "missing": 0,
        "customers whose state is wrong": 0,
        "outputs, models, switches, counts that are wrong": 0,
    }
