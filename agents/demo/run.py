"""Runs the demo from start to end."""

import math
import os
import shutil
import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.live import Live

from agents.demo.parts import USE_CASE, Parts
from agents.demo.story import Plan, Story
from agents.demo.summary import Closing, missing, told
from agents.demo.view import Pulse, alert_line, plain_line, screen
from agents.kafka.tail_reader import TailReader
from agents.operations.status import StatusReader, SystemStatus
from agents.wiring import Wiring, connect_system
from schemas.topics import DRIFT_ALERTS, LABELLED_EXAMPLES, MODEL_METRICS, PREDICTIONS
from streams.errors import TidecastError
from streams.features.window import duration_ms
from streams.usecases import UseCase, load_use_case

START_MS = 1_704_067_200_000
"""Event time at which the simulation begins (load.telecom)."""
DAYS = 160
CAMPAIGN_DAY = 96
CUSTOMERS = 2000
MAX_LAG = 12_000
"""Events by which the simulation may be ahead of scoring. On a slow machine its days take longer."""
LOOK_EVERY = 1.0
RATES_OVER = 5
"""Looks over which rates are averaged, because scoring commits many events at once."""
PLAIN_EVERY = 5.0
DRAIN_S = 90.0
"""Seconds that the workers have after the end of the simulation to finish the backlog."""
FIRST_S = 60.0
"""Seconds that the workers have to start."""


def plan_of(use_case: UseCase) -> Plan:
    """Return the plan of the simulation, with the horizons of the use case's targets in days."""
    horizons = {}
    for target in use_case.targets:
        assert target.outcome.horizon is not None
        horizons[target.name] = math.ceil(duration_ms(target.outcome.horizon) / 86_400_000)
    binary = {target.name: target.kind == "binary" for target in use_case.targets}
    return Plan(START_MS, DAYS, CAMPAIGN_DAY, horizons, binary)


class Demo:
    """Starts everything, watches it and shows it. `run` raises TidecastError when a part fails."""

    def __init__(self, folder: Path, minutes: float, console: Console) -> None:
        self._parts = Parts(folder)
        self._day_seconds = minutes * 60 / DAYS
        self._console = console
        self._use_case = load_use_case(USE_CASE)
        self._story = Story(plan_of(self._use_case))
        self._pulse = Pulse()
        self._counted: deque[tuple[float, int, int, int]] = deque(maxlen=RATES_OVER + 1)
        self._first_prediction: float | None = None
        self._up = 0.0
        self._said = 0
        self._campaign_said = False

    def run(self) -> Closing:
        """Run the demo to its end; everything is still running then."""
        began = time.monotonic()
        settings = self._parts.start_stack(self._say)
        self._up = time.monotonic()
        done = self._parts.deploy(settings)
        self._say(f"{USE_CASE} is deployed as {done.deployment.deployment_id} ({time.monotonic() - began:.0f} s)")
        self._parts.start_worker()
        self._say(f"The workers are starting; logs in {self._parts.log('worker').parent}")
        wiring = connect_system(settings, USE_CASE)
        self._await_workers(wiring)
        self._parts.start_simulation(
            (
                *("--customers", str(CUSTOMERS), "--days", str(DAYS), "--campaign-day", str(CAMPAIGN_DAY)),
                *("--day-seconds", f"{self._day_seconds:.3f}", "--max-lag", str(MAX_LAG)),
            )
        )
        status = self._watch(wiring)
        return Closing(self._story, status, self._parts.simulated_events(), self._first_prediction)

    def end(self, keep: bool) -> None:
        """End all processes that were started."""
        self._parts.end(keep)

    def worker_pid(self) -> int:
        """Process id of the supervisor of the workers."""
        return self._parts.children["worker"].pid

    def _say(self, text: str) -> None:
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)

    # -- watching

    def _await_workers(self, wiring: Wiring) -> None:
        """Wait until scoring has committed the deployment record, which is the first of each partition."""
        partitions = range(wiring.deployment.partitions)
        while len(wiring.scoring_store.positions(partitions)) < len(partitions):
            self._parts.ended("worker")
            if time.monotonic() - self._up > FIRST_S:
                raise TidecastError(
                    f"The workers have not started after {FIRST_S:.0f} s: see {self._parts.log('worker')}."
                )
            time.sleep(0.1)

    def _watch(self, wiring: Wiring) -> SystemStatus:
        settings = wiring.settings
        topics = (PREDICTIONS, LABELLED_EXAMPLES, MODEL_METRICS, DRIFT_ALERTS)
        with TailReader(settings, wiring.codec) as follower, TailReader(settings, wiring.codec) as side:
            observer = StatusReader(wiring, side)
            follower.start(topics, lambda low, high: low)
            with self._shown() as show:
                status = self._until_end(follower, observer, show)
            return status

    def _until_end(self, follower: TailReader, observer: StatusReader, show: Any) -> SystemStatus:
        looked, simulated_until = 0.0, None
        while True:
            for found in follower.next(0.2, 2000):
                self._story.take(found.name, found.record, self._pulse.today)
            if self._first_prediction is None and self._story.counts["predictions"]:
                self._first_prediction = time.monotonic() - self._up
            self._parts.ended("worker")
            if time.monotonic() - looked < LOOK_EVERY:
                continue
            looked = time.monotonic()
            status = observer.scoring()
            self._measure(status)
            self._story.note("churn", "logistic", self._pulse.today)
            show()
            if self._parts.ended("simulation"):
                simulated_until = simulated_until or time.monotonic()
                if self._quiet(status) or time.monotonic() - simulated_until > DRAIN_S:
                    return observer.look()

    def _quiet(self, status: SystemStatus) -> bool:
        """Return whether scoring has no lag and no new events arrive."""
        return status.lag("scoring") == 0 and self._pulse.predictions == 0 and self._pulse.examples == 0

    def _measure(self, status: SystemStatus) -> None:
        """Return the rates since the last look, and the day that scoring has reached."""
        now, counts = time.monotonic(), self._story.counts
        totals = (status.published, counts["predictions"], counts["examples"])
        if self._counted:
            seconds = max(now - self._counted[0][0], 0.001)
            rates = [(new - old) / seconds for new, old in zip(totals, self._counted[0][1:], strict=True)]
            self._pulse.events, self._pulse.predictions, self._pulse.examples = rates
        self._counted.append((now, *totals))
        self._pulse.published = status.published
        self._pulse.fallbacks = status.champions_fallbacks
        self._pulse.lag = status.lag("scoring")
        ticks = [tick for tick in status.ticks.values() if tick is not None]
        if ticks:
            self._pulse.today = self._story.plan.day_of(min(ticks))

    # -- showing

    @contextmanager
    def _shown(self) -> Iterator[Any]:
        """Return a function that shows the state: the live view on a terminal, else a line every few seconds."""
        if self._console.is_terminal:
            with Live(console=self._console, refresh_per_second=4, transient=True) as live:
                height = self._console.height
                yield lambda: live.update(screen(self._story, self._pulse, self._use_case, height))
            return
        last = [0.0]

        def plain() -> None:
            self._new_alerts()
            if time.monotonic() - last[0] >= PLAIN_EVERY:
                last[0] = time.monotonic()
                self._say(plain_line(self._story, self._pulse, self._use_case))

        yield plain

    def _new_alerts(self) -> None:
        if self._pulse.today >= CAMPAIGN_DAY and not self._campaign_said:
            self._campaign_said = True
            self._say(f"--- day {CAMPAIGN_DAY}: the competitor's campaign begins ---")
        for alert in self._story.alerts[self._said :]:
            self._say(f"ALERT {alert_line(alert)}")
        self._said = len(self._story.alerts)


def look_further(folder: Path, keep: bool, worker: int, some_customer: str) -> str:
    """Return what to try after the demo."""
    program = Path(sys.argv[0])
    tidecast = os.path.relpath(program) if program.is_file() and not shutil.which("tidecast") else "tidecast"
    commands = [] if keep else [("stack up", "start its servers again, with all data")]
    commands += [
        ("status", "positions, accounting, serving versions, open alerts"),
        (f"customer {some_customer}", "features and latest predictions"),
        ("tail drift-alerts --from beginning --no-follow", ""),
        ('sql "SELECT * FROM quality"', "the history in ClickHouse"),
        ("verify", "replay the logs and compare"),
        ("stack down", "when done; with --wipe the data goes too"),
    ]
    lines = [f"  export TIDECAST_DATA={os.path.relpath(folder)}"]
    lines += [f"  {tidecast + ' ' + command:<60}" + (f"# {why}" if why else "") for command, why in commands]
    if keep:
        lines.insert(-1, f"  {f'kill {worker}':<60}# ends the workers, which keep running until then")
    return "To look further:\n" + "\n".join(line.rstrip() for line in lines)


def outcome(closing: Closing) -> str:
    """Print the closing summary. Raises TidecastError when something promised was not seen."""
    text = told(closing)
    lacking = missing(closing)
    if lacking:
        raise TidecastError(f"The demo did not show what it promises: {'; '.join(lacking)}.\n{text}")
    return text
