"""A small benchmark on the session's stack reports every figure of a drain, a latency step and a kill."""

import json
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from confluent_kafka import Consumer, TopicPartition

from load.bench.figures import Figures
from load.bench.parts import kill_midway, recovery
from load.bench.parts.draining import together
from load.bench.parts.latency import ladder
from load.bench.system import EXPLICIT_OUTCOMES, BenchSystem, BenchWorkers
from tests.integration.conftest import Stack
from tests.waiting import PATIENCE_S, until

pytestmark = pytest.mark.integration


def test_drain_ladder_and_kill(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDECAST_DATA", str(stack.folder))
    for name in ("WARM_S", "BROKER_WARM_S"):
        monkeypatch.setattr(f"load.bench.parts.latency.{name}", 1)
    for name, value in (("RATE", 300), ("BEFORE_S", 1), ("AFTER_S", 3), ("PATIENCE_S", PATIENCE_S)):
        monkeypatch.setattr(f"load.bench.parts.recovery.{name}", value)
    figures = Figures()
    system = BenchSystem(2)
    together(system, system.job.backlog(8000), figures, ("scoring", "learning"), "drain")
    system = BenchSystem(2)
    ladder(system, system.job.backlog(1000), (100,), 2, 1, figures)
    recovery.measure(BenchSystem(2), 200, 1, figures)
    found = {figure.name: figure.median for figure in figures.all()}
    assert found["drain: drain"] >= 0 and "drain: CPU of scoring" in found
    assert (
        0 < found["event to prediction readable at 100/s: p50"] <= found["event to prediction readable at 100/s: max"]
    )
    assert found["kill -9 with 200 customers: missing"] == 0
    assert found["kill -9 with 200 customers: until predictions come again"] > 0
    assert figures.extras["latency_histograms_us"]["100"][0]


@contextmanager
def stopped_midway(system: BenchSystem, points: Path, records: int) -> Iterator[threading.Thread]:
    """Stop scoring in the middle of a slice when predictions holds the given number of records. Scoring cannot finish
    before it is killed. The thread ends when scoring has stopped for good."""
    topic, over = f"{system.prefix}predictions", threading.Event()
    places = [TopicPartition(topic, number) for number in range(system.partitions)]
    reader = Consumer({"bootstrap.servers": system.stack["kafka"], "group.id": "bench-test"})

    def step() -> None:
        stops: list[Path] = []
        while sum(reader.get_watermark_offsets(place)[1] for place in places) < records:
            (points / "new").write_text("stop")
            (points / "new").rename(points / "scoring.acked")
            if stops:
                os.kill(int(stops[-1].suffix[1:]), signal.SIGCONT)
            known = len(stops)
            while len(stops := sorted((points / "hits").glob("scoring.acked.*"))) == known:
                if over.wait(0.01):
                    return

    stepping = threading.Thread(target=step)
    stepping.start()
    try:
        yield stepping
    finally:
        over.set()
        stepping.join()
        reader.close()


def test_a_kill_midway_leaves_no_trace(stack: Stack, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TIDECAST_DATA", str(stack.folder))
    monkeypatch.setenv("TIDECAST_FAIL_POINTS", str(tmp_path))
    monkeypatch.setenv("TIDECAST_BATCH_RECORDS", "200")
    figures, system = Figures(), BenchSystem(2, use_case=EXPLICIT_OUTCOMES)

    def drained(verb: str) -> bool:
        """Return whether the work is finished. A pause in the work does not count."""
        if verb == "scoring":
            return system.lags().get("scoring") == 0
        serving = json.loads(system.run("status", "--json"))["serving"]
        return {arm["target"] for arm in serving if not arm["version"].endswith("@-1")} == {*kill_midway.NAMES}

    kill = BenchWorkers.kill

    def kill_stopped(workers: BenchWorkers, verb: str) -> float:
        """Kill the process after it has stopped. Otherwise the next process would stop, and nothing would kill it."""
        until(lambda: not stepping.is_alive(), "scoring's stop")
        return kill(workers, verb)

    monkeypatch.setattr(BenchWorkers, "drained", lambda _, verb: until(lambda: drained(verb)))
    monkeypatch.setattr(BenchWorkers, "kill", kill_stopped)
    with stopped_midway(system, tmp_path, 6000) as stepping:
        kill_midway.measure(system, 5000, figures)
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
