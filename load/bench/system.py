"""The servers of a benchmark, a system that is deployed on them with its own topics and tables, and its workers."""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import urllib.request
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import psutil
import redis

from load.bench.job import BenchJob
from load.bench.pacing import Pacer, PacerSettings
from load.bench.publishing import BacklogPublisher
from load.bench.reading import PredictionReader
from load.bench.workers import BenchWorkers, cpu_s
from load.ticks import tick_key
from load.wire import Wire, stack_addresses

USE_CASE = Path(__file__).parent.parent / "reference" / "use_case"
EXPLICIT_OUTCOMES = USE_CASE / "explicit_outcomes.py"
"""The reference job with explicit outcomes."""


def tidecast(*arguments: str) -> list[str]:
    """Return the command line `tidecast ARGUMENTS` in this environment."""
    return [sys.executable, "-c", "from agents.cli import main; main()", *arguments]


@contextmanager
def servers() -> Iterator[Path]:
    """Start a local stack in a folder of its own, which is deleted afterwards."""
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


def server_versions() -> dict[str, str]:
    """Return the versions of the servers of the running stack."""
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
        self._tick_key = tick_key(self.stack, self.prefix + "deployments")
        self.job = BenchJob(Wire(self.stack["registry"]), self._tick_key, partitions)
        self.publisher = BacklogPublisher(self.stack["kafka"], self.prefix + "customer-events")

    def run(self, *arguments: str, may_fail: bool = False) -> str:
        """Run a command of tidecast and return its output. Raises CalledProcessError when it fails, unless
        `may_fail`."""
        command = tidecast(*arguments)
        done = subprocess.run(command, env=self.env, check=not may_fail, stdout=subprocess.PIPE, text=True)
        return done.stdout

    @contextmanager
    def reader(self) -> Iterator[PredictionReader]:
        """Start a process that reads predictions."""
        topic = self.prefix + "predictions"
        reader = PredictionReader(self.stack["kafka"], self.stack["registry"], topic, self.partitions, self.check)
        try:
            yield reader
        finally:
            reader.end()

    @contextmanager
    def pacer(self) -> Iterator[Pacer]:
        """Start a process that publishes at a pace."""
        stack = self.stack
        topic = self.prefix + "customer-events"
        pacer = Pacer(PacerSettings(stack["kafka"], stack["registry"], self._tick_key, topic, self.partitions))
        try:
            yield pacer
        finally:
            pacer.end()

    def servers_cpu_s(self) -> dict[str, float]:
        """Return the CPU time of each server so far."""
        return {part: cpu_s(psutil.Process(pid)) for part, pid in self._servers().items()}

    def servers_rss_mib(self) -> dict[str, float]:
        """Return the resident memory of each server."""
        return {part: psutil.Process(pid).memory_info().rss / 2**20 for part, pid in self._servers().items()}

    def _servers(self) -> dict[str, int]:
        """Return server → process id."""
        return {part: self.stack["pids"][part]["pid"] for part in ("kafka", "redis", "clickhouse")}

    @contextmanager
    def workers(self, *stages: str, processes: int = 1) -> Iterator[BenchWorkers]:
        """Start supervised workers for these stages (default: all), and end them afterwards."""
        command = tidecast("worker", *stages, "--use-case", self._use_case, "--processes", str(processes))
        self._supervisor = process = subprocess.Popen(command, env=self.env, stdout=sys.stderr)
        try:
            yield BenchWorkers(psutil.Process(process.pid), self.data, self.check)
        finally:
            self._supervisor = None
            with ignoring_signals():
                process.terminate()
                process.wait(60)

    def lags(self) -> dict[str, int]:
        """Return the lag of each stage in records. Learners are left out: they report their position in snapshots
        only."""
        return lags_by_stage(json.loads(self.run("status", "--json"))["places"])

    def check(self) -> None:
        """Raise ClickException when the workers have ended."""
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
