"""The worker processes of a benchmark: what they use, and what they report."""

import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click
import psutil

from load.stages import names

PATIENCE_S = 300.0
IDLE_S = 2.0
"""A stage that has processed nothing for so long is idle. History gathers records for a second."""


def cpu_s(process: psutil.Process) -> float:
    """Return the CPU time of a process so far."""
    times = process.cpu_times()
    return float(times.user + times.system)


@dataclass(frozen=True, slots=True)
class DrainResult:
    """What a stage did between its first batch and its last."""

    records: int
    seconds: float
    cpu_s: float


class BenchWorkers:
    """The worker processes: what they use, and what they report."""

    def __init__(self, supervisor: psutil.Process, data: Path, check: Callable[[], None]) -> None:
        """`check` raises when the workers have ended."""
        self._supervisor = supervisor
        self._check = check
        self._data = data

    def processes(self, verb: str) -> list[psutil.Process]:
        """Return the processes that run this verb."""
        found = []
        for child in self._supervisor.children():
            try:
                if verb in child.cmdline():
                    found.append(child)
            except psutil.NoSuchProcess:
                continue
        return found

    def cpu_s(self, verb: str) -> float:
        """Return the CPU time so far of the processes that run this verb."""
        return sum(cpu_s(process) for process in self.processes(verb))

    def kill(self, verb: str) -> float:
        """Kill the only process that runs this verb (kill -9), and return the time (perf_counter)."""
        (process,) = self.processes(verb)
        killed = time.perf_counter()
        process.kill()
        return killed

    def rss_mib(self, verb: str) -> float:
        """Return the resident memory of the processes that run this verb."""
        return sum(float(process.memory_info().rss) for process in self.processes(verb)) / 2**20

    def identities(self) -> set[int]:
        """Process ids of all workers."""
        return {process.pid for name in names() for process in self.processes(name)}

    def wait_ready(self) -> None:
        """Wait until all workers report that they are ready."""
        end = time.monotonic() + PATIENCE_S
        while not self._are_ready():
            if time.monotonic() > end:
                raise click.ClickException(f"the workers are not ready after {PATIENCE_S:.0f} s")
            self._check()
            time.sleep(0.2)

    def _are_ready(self) -> bool:
        return len(self._get_all("/readyz")) == len(self.identities()) > 0

    def _get_all(self, path: str) -> list[str]:
        """Return the answers of all workers that answer without an error."""
        answers = []
        for file in (self._data / "run").glob("*.health"):
            try:
                with urllib.request.urlopen(file.read_text().strip() + path, timeout=5) as answer:
                    answers.append(answer.read().decode())
            except OSError:
                continue
        return answers

    def records(self, verb: str) -> int:
        """Return the number of records that the stages of a verb have processed since they started, by /metrics."""
        start = f'tidecast_records_total{{stage="{verb}'
        lines = "\n".join(self._get_all("/metrics")).splitlines()
        return int(sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(start)))

    def drained(self, verb: str, max_s: float = PATIENCE_S) -> DrainResult:
        """Wait until a verb is idle, or has worked for `max_s`; returns what it did after its first batch."""
        end = time.monotonic() + PATIENCE_S
        while not (begun := self.records(verb)):
            if time.monotonic() > end:
                raise click.ClickException(f"{verb} has processed nothing after {PATIENCE_S:.0f} s")
            self._check()
            time.sleep(0.05)
        began, cpu = time.perf_counter(), self.cpu_s(verb)
        done, at, used, end = begun, began, cpu, time.monotonic() + max_s
        while time.perf_counter() - at < IDLE_S and time.monotonic() < end:
            time.sleep(0.05)
            now = self.records(verb)
            if now != done:
                done, at, used = now, time.perf_counter(), self.cpu_s(verb)
        return DrainResult(done - begun, at - began, used - cpu)
