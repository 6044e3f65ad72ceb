"""The servers of a benchmark, a system that is deployed on them with its own topics and tables, and its workers."""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import psutil
import redis

from load.bench.job import BenchJob
from load.bench.pacing import Pacer, PacerSettings
from load.bench.publishing import BacklogPublisher
from load.bench.reading import PredictionReader
from load.wire import Wire, stack_addresses

USE_CASE = Path(__file__).parent.parent / "reference" / "use_case"
EXPLICIT_OUTCOMES = USE_CASE / "explicit_outcomes.py"
"""The reference job with explicit outcomes."""
PATIENCE_S = 300.0
IDLE_S = 2.0
"""A stage that has processed nothing for so long is idle. History gathers records for a second."""
VERBS = ("scoring", "learning", "judging", "monitoring", "history")


def tidecast(*arguments: str) -> list[str]:
    """The command line `tidecast ARGUMENTS` in this environment."""
    return [sys.executable, "-c", "from agents.cli import main; main()", *arguments]


@contextmanager
def servers() -> Iterator[Path]:
    """A local stack in a folder of its own, which is deleted afterwards."""
    with tempfile.TemporaryDirectory(prefix="tidecast-bench-") as folder:
        os.environ["TIDECAST_DATA"] = folder
        try:
            subprocess.run(tidecast("compile"), check=False)
            subprocess.run(tidecast("stack", "up"), check=True, stdout=sys.stderr)
            yield Path(folder)
        finally:
            with ignoring_signals():
                click.echo("ending the servers …", err=True)
                down = tidecast("stack", "down", "--wipe")
                subprocess.run(down, check=False, stdout=sys.stderr, start_new_session=True)
            del os.environ["TIDECAST_DATA"]


@contextmanager
def ignoring_signals() -> Iterator[None]:
    """Ignore ^C and SIGTERM, so that a second one does not leave servers or workers behind."""
    handlers = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def cpu_s(process: psutil.Process) -> float:
    """CPU time of a process so far."""
    times = process.cpu_times()
    return float(times.user + times.system)


def server_versions() -> dict[str, str]:
    """Versions of the servers of the running stack."""
    stack = stack_addresses()
    java = " ".join(psutil.Process(stack["pids"]["kafka"]["pid"]).cmdline())
    kafka = re.search(r"/kafka[^/:]*?-(\d[\d.]*)", java)
    with urllib.request.urlopen(f"{stack['clickhouse']}/?query=SELECT+version()", timeout=10) as answer:
        clickhouse = answer.read().decode().strip()
    redis_version = redis.Redis.from_url(stack["redis"]).info("server")["redis_version"]
    return {"kafka": kafka[1] if kafka else "", "redis": str(redis_version), "clickhouse": clickhouse}


class BenchSystem:
    """A new deployment of the reference job: an empty log, empty state."""

    def __init__(self, partitions: int, settings: Mapping[str, str] | None = None, use_case: Path = USE_CASE) -> None:
        """`settings`: additional TIDECAST_* variables of the workers."""
        name = uuid.uuid4().hex[:8]
        self.prefix, self.database = f"bench-{name}.", f"bench_{name}"
        own = {"TIDECAST_TOPIC_PREFIX": self.prefix, "TIDECAST_CLICKHOUSE_DATABASE": self.database}
        self.env = {**os.environ, **own, **(settings or {})}
        self.stack: dict[str, Any] = stack_addresses()
        self.data = Path(os.environ["TIDECAST_DATA"])
        self.partitions = partitions
        self._supervisor: subprocess.Popen[bytes] | None = None
        self._use_case = str(use_case)
        self.run("deploy", self._use_case, "--partitions", str(partitions))
        self.job = BenchJob(Wire(self.stack["registry"]), self.stack["signing_key"], partitions)
        self.publisher = BacklogPublisher(self.stack["kafka"], self.prefix + "customer-events")

    def run(self, *arguments: str, may_fail: bool = False) -> str:
        """Run a command of tidecast and return its output. CalledProcessError when it fails, unless `may_fail`."""
        command = tidecast(*arguments)
        done = subprocess.run(command, env=self.env, check=not may_fail, stdout=subprocess.PIPE, text=True)
        return done.stdout

    @contextmanager
    def reader(self) -> Iterator[PredictionReader]:
        """A process that reads predictions."""
        topic = self.prefix + "predictions"
        reader = PredictionReader(self.stack["kafka"], self.stack["registry"], topic, self.partitions, self.check)
        try:
            yield reader
        finally:
            reader.end()

    @contextmanager
    def pacer(self) -> Iterator[Pacer]:
        """A process that publishes at a pace."""
        stack = self.stack
        topic = self.prefix + "customer-events"
        pacer = Pacer(PacerSettings(stack["kafka"], stack["registry"], stack["signing_key"], topic, self.partitions))
        try:
            yield pacer
        finally:
            pacer.end()

    def servers_cpu_s(self) -> dict[str, float]:
        """CPU time of each server so far."""
        return {part: cpu_s(psutil.Process(pid)) for part, pid in self._servers().items()}

    def servers_rss_mib(self) -> dict[str, float]:
        """Resident memory of each server."""
        return {part: psutil.Process(pid).memory_info().rss / 2**20 for part, pid in self._servers().items()}

    def _servers(self) -> dict[str, int]:
        """Server → process id."""
        return {part: self.stack["pids"][part]["pid"] for part in ("kafka", "redis", "clickhouse")}

    @contextmanager
    def workers(self, *verbs: str, processes: int = 1) -> Iterator["BenchWorkers"]:
        """Supervised workers for these verbs, ended afterwards."""
        command = tidecast("worker", *verbs, "--use-case", self._use_case, "--processes", str(processes))
        self._supervisor = process = subprocess.Popen(command, env=self.env, stdout=sys.stderr)
        try:
            yield BenchWorkers(psutil.Process(process.pid), self.data, self.check)
        finally:
            self._supervisor = None
            with ignoring_signals():
                process.terminate()
                process.wait(60)

    def lags(self) -> dict[str, int]:
        """The lag of each stage in records. Learners are left out: they report their position in snapshots only."""
        return lags_by_stage(json.loads(self.run("status", "--json"))["places"])

    def check(self) -> None:
        """ClickException when the workers have ended."""
        if self._supervisor is not None and self._supervisor.poll() is not None:
            raise click.ClickException(
                f"the workers ended with exit code {self._supervisor.returncode}: see their output above"
            )


def lags_by_stage(positions: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Sum the lags that `tidecast status` reports, by stage."""
    lags: dict[str, int] = {}
    for position in positions:
        if not position["stage"].startswith("learning"):
            lags[position["stage"]] = lags.get(position["stage"], 0) + position["lag"]
    return lags


class BenchWorkers:
    """The worker processes: what they use, and what they report."""

    def __init__(self, supervisor: psutil.Process, data: Path, check: Callable[[], None]) -> None:
        """`check` raises when the workers have ended."""
        self._supervisor = supervisor
        self._check = check
        self._data = data

    def processes(self, verb: str) -> list[psutil.Process]:
        """The processes that run this verb."""
        found = []
        for child in self._supervisor.children():
            try:
                if verb in child.cmdline():
                    found.append(child)
            except psutil.NoSuchProcess:
                continue
        return found

    def cpu_s(self, verb: str) -> float:
        """CPU time so far of the processes that run this verb."""
        return sum(cpu_s(process) for process in self.processes(verb))

    def kill(self, verb: str) -> float:
        """kill -9 of the only process that runs this verb; returns the time (perf_counter)."""
        (process,) = self.processes(verb)
        killed = time.perf_counter()
        process.kill()
        return killed

    def rss_mib(self, verb: str) -> float:
        """Resident memory of the processes that run this verb."""
        return sum(float(process.memory_info().rss) for process in self.processes(verb)) / 2**20

    def identities(self) -> set[int]:
        """Process ids of all workers."""
        return {process.pid for verb in VERBS for process in self.processes(verb)}

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
        """The answers of all workers that answer without an error."""
        answers = []
        for file in (self._data / "run").glob("*.health"):
            try:
                with urllib.request.urlopen(file.read_text().strip() + path, timeout=5) as answer:
                    answers.append(answer.read().decode())
            except OSError:
                continue
        return answers

    def records(self, verb: str) -> int:
        """Records that the stages of a verb have processed since they started, by /metrics."""
        start = f'tidecast_records_total{{stage="{verb}'
        lines = "\n".join(self._get_all("/metrics")).splitlines()
        return int(sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(start)))

    def drained(self, verb: str, max_s: float = PATIENCE_S) -> "DrainResult":
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


@dataclass(frozen=True, slots=True)
class DrainResult:
    """What a stage did between its first batch and its last."""

    records: int
    seconds: float
    cpu_s: float
