"""Each server away for a while under load: what the workers do meanwhile, and how soon they catch up.

Uses the chaos run's system without its faults. At the end an undisturbed replay of the logs is compared."""

import json
import signal
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import click
import psutil

from load.chaos.publisher import ChaosPublisher
from load.chaos.reader import ChaosReader
from load.chaos.run import ChaosReport, conclude, wait_until_caught_up
from load.chaos.servers import PARTS
from load.chaos.system import PARTITIONS, TARGETS, ChaosSystem
from load.cli_types import Finite

QUIET_S = 12.0
"""Seconds of load without an outage, before the first one and after each."""
USUAL_LAG_S = 2.0
"""Records of so many seconds are the usual lag, no backlog: history gathers records for a second."""
STAGES = 4
"""Stages that each record passes: scoring, judging or monitoring, and history for the input and for the output."""
DAY_SECONDS = 20.0
"""Seconds per day of event time."""


@dataclass
class Outage:
    """One server away for `seconds`.

    predictions_*_per_s: before the outage, and during it without its first 5 s. memory_*_mb: largest worker
    before the outage, and until it is caught up. red: seconds from the kill until /healthz was red. green,
    started, caught_up: seconds from the restart until /healthz was green, the server answered, the backlog was
    gone. None: never. backlog: lags of all stages when the server answered, in records. speed_records_per_s:
    how fast it shrank. problems: what /healthz reported."""

    server: str
    seconds: float
    predictions_before_per_s: float = 0.0
    predictions_away_per_s: float = 0.0
    memory_before_mb: float = 0.0
    memory_max_mb: float = 0.0
    red: float | None = None
    green: float | None = None
    started: float = 0.0
    caught_up: float = 0.0
    backlog: int = 0
    speed_records_per_s: float = 0.0
    problems: list[str] = field(default_factory=list)


class SystemProbe:
    """Observes a running system from outside."""

    def __init__(self, system: ChaosSystem, reader: ChaosReader) -> None:
        self._system = system
        self._reader = reader

    def memory_mb(self) -> float:
        """Return the resident memory of the largest worker."""
        pids = [w.process.pid for w in self._system.workers.all.values() if w.process and w.process.poll() is None]
        return float(max(psutil.Process(pid).memory_info().rss for pid in pids)) / 1e6

    def red(self) -> list[str]:
        """Return the problems of the stages whose /healthz is red. A worker that does not answer counts as one."""
        problems = []
        for file in (self._system.folder / "run").glob("*.health"):
            problems += _problems(file.read_text().strip() + "/healthz")
        return problems

    def predictions(self) -> int:
        """Return the number of predictions read so far."""
        return self._reader.predictions

    def backlog(self) -> int:
        """Return the number of records that the workers have not processed. Asks until all servers answer."""
        while True:
            done = self._system.run("status", "--json", check=False)
            if done.returncode == 0:
                lags = json.loads(done.stdout)["places"]
                return sum(each["lag"] for each in lags if not each["stage"].startswith("learning"))
            time.sleep(0.2)


def _problems(url: str) -> list[str]:
    try:
        with urllib.request.urlopen(url, timeout=2):
            return []
    except urllib.error.HTTPError as error:
        return [stage["problem"] for stage in json.load(error) if stage["problem"]]
    except OSError as error:
        return [f"{url}: {error}"]


def take_away(system: ChaosSystem, probe: SystemProbe, server: str, seconds: float, rate: float) -> Outage:
    """Kill a server, start it again after `seconds`, and wait until everything is caught up.

    `rate`: messages per second that are published meanwhile."""
    outage = Outage(server, seconds, memory_before_mb=probe.memory_mb())
    outage.predictions_before_per_s = _rate(probe, QUIET_S)
    usual = probe.backlog()
    system.servers.kill(server)
    killed = time.monotonic()
    at_five_seconds = 0
    while (now := time.monotonic() - killed) < seconds:
        _note(outage, probe, now)
        at_five_seconds = at_five_seconds or (probe.predictions() if now > 5 else 0)
        time.sleep(0.5)
    outage.predictions_away_per_s = round((probe.predictions() - at_five_seconds) / (seconds - 5), 1)
    begun = time.monotonic()
    system.servers.up()
    outage.started = round(time.monotonic() - begun, 1)
    outage.backlog = lag = probe.backlog()
    while outage.green is None or lag > usual + rate * USUAL_LAG_S * STAGES:
        outage.memory_max_mb = max(outage.memory_max_mb, probe.memory_mb())
        if outage.green is None and not probe.red():
            outage.green = round(time.monotonic() - begun, 1)
        else:
            lag = probe.backlog()
        time.sleep(0.2)
    outage.caught_up = round(time.monotonic() - begun, 1)
    outage.speed_records_per_s = round(outage.backlog / max(outage.caught_up - outage.started, 0.1))
    return outage


def _note(outage: Outage, probe: SystemProbe, now: float) -> None:
    outage.memory_max_mb = max(outage.memory_max_mb, probe.memory_mb())
    problems = probe.red()
    if problems and outage.red is None:
        outage.red = round(now, 1)
    outage.problems = list(dict.fromkeys([*outage.problems, *problems]))[:8]


def _rate(probe: SystemProbe, seconds: float) -> float:
    before = probe.predictions()
    time.sleep(seconds)
    return round((probe.predictions() - before) / seconds, 1)


@contextmanager
def _system() -> Iterator[ChaosSystem]:
    with tempfile.TemporaryDirectory(prefix="tidecast-outages-", ignore_cleanup_errors=True) as folder:
        system = ChaosSystem(Path(folder), {})
        try:
            system.start()
            yield system
        finally:
            system.end(wipe=True)


def measure(servers: list[str], seconds: float, rate: float) -> dict[str, Any]:
    """Measure all outages in turn, then compare with an undisturbed replay."""
    total = len(servers) * (seconds + 4 * QUIET_S) + 3 * QUIET_S
    report = ChaosReport(0)
    with _system() as system:
        stack = system.servers.stack
        reader = ChaosReader(stack, system.models, PARTITIONS, len(TARGETS))
        publisher = ChaosPublisher(stack, PARTITIONS, 0, rate, total, DAY_SECONDS)
        probe = SystemProbe(system, reader)
        reader.start()
        publisher.start()
        while not probe.predictions() or probe.red():
            time.sleep(0.2)
        outages = []
        for server in servers:
            outages.append(take_away(system, probe, server, seconds, rate))
            click.echo(json.dumps(asdict(outages[-1])), err=True)
        publisher.join()
        report.catch_up = wait_until_caught_up(system, reader, report)
        conclude(system, publisher, reader, report)
    return {"outages": [asdict(outage) for outage in outages], "run": asdict(report)}


@click.command()
@click.argument("servers", nargs=-1, type=click.Choice(PARTS))
@click.option("--seconds", type=Finite(10, 100_000), default=60.0, show_default=True, help="Length of each outage.")
@click.option("--rate", type=Finite(1, 100_000), default=200.0, show_default=True, help="Messages per second.")
def main(servers: tuple[str, ...], seconds: float, rate: float) -> None:
    """Take SERVERS (default: all) away under load, one after the other, each by kill -9. Print what was
    observed.

    \b
    python -m load.outages
    python -m load.outages clickhouse --seconds 600
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)  # so that the servers are ended
    results = measure(list(servers or PARTS), seconds, rate)
    click.echo(json.dumps(results, indent=1))
    sys.exit(1 if results["run"]["differences"] else 0)


if __name__ == "__main__":
    main()
