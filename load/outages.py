"""Each server away for a while under load: what the workers do meanwhile, and how soon they have caught up.

The chaos run's system without its faults; in the end the logs are replayed calmly and compared."""

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
from load.chaos.run import ChaosOptions, ChaosReport, conclude, settle
from load.chaos.servers import PARTS
from load.chaos.system import PARTITIONS, TARGETS, ChaosSystem
from load.cli_types import Finite

CALM_S = 12.0
"""Load without an outage before the first one and after each."""
CAUGHT_UP_S = 2.0
"""Records of so long more than usual are no backlog: history gathers them for a second."""
STAGES = 4
"""That each record passes: scoring, judging or monitoring, and history for what it was and what it became."""
DAY_SECONDS = 20.0


@dataclass
class Outage:
    """One server away for `seconds`. predictions_per_s: median before, and while it was away (first 5 s left out).
    memory_mb: most of any worker, before and until caught up. red, green: seconds from the kill and from the restart
    until /healthz said so (None: never). caught_up: seconds from the restart; backlog: records that no stage had worked
    off when the server had started, all topics; speed: of working them off."""

    server: str
    seconds: float
    predictions_before_per_s: float = 0.0
    predictions_away_per_s: float = 0.0
    memory_before_mb: float = 0.0
    memory_most_mb: float = 0.0
    red: float | None = None
    green: float | None = None
    started: float = 0.0
    caught_up: float = 0.0
    backlog: int = 0
    speed_records_per_s: float = 0.0
    said: list[str] = field(default_factory=list)


class SystemProbe:
    """What can be seen of a running system from outside."""

    def __init__(self, system: ChaosSystem, reader: ChaosReader, publisher: ChaosPublisher) -> None:
        self._system = system
        self._reader = reader
        self._publisher = publisher

    def memory_mb(self) -> float:
        """Resident memory of the largest worker."""
        found = [w.process.pid for w in self._system.workers.all.values() if w.process and w.process.poll() is None]
        return float(max(psutil.Process(pid).memory_info().rss for pid in found)) / 1e6

    def red(self) -> list[str]:
        """Problems of the stages whose /healthz is not green; a worker that does not answer counts."""
        problems = []
        for file in (self._system.folder / "run").glob("*.health"):
            problems += _problems(file.read_text().strip() + "/healthz")
        return problems

    def answered(self) -> int:
        """Predictions read so far."""
        return self._reader.predictions

    def published(self) -> int:
        """Messages acked so far."""
        return self._publisher.published

    def backlog(self) -> int:
        """Records that the workers have not worked off, asked until all servers answer."""
        while True:
            done = self._system.run("status", "--json", check=False)
            if done.returncode == 0:
                places = json.loads(done.stdout)["places"]
                return sum(place["lag"] for place in places if not place["stage"].startswith("learning"))
            time.sleep(0.2)


def _problems(url: str) -> list[str]:
    try:
        with urllib.request.urlopen(url, timeout=2):
            return []
    except urllib.error.HTTPError as error:
        return [stage["problem"] for stage in json.load(error) if stage["problem"]]
    except OSError as error:
        return [f"{url}: {error}"]


def away(system: ChaosSystem, probe: SystemProbe, server: str, seconds: float, rate: float) -> Outage:
    """Take a server away for so long, then wait until all is caught up."""
    outage = Outage(server, seconds, memory_before_mb=probe.memory_mb())
    outage.predictions_before_per_s = _pace(probe, CALM_S)
    usual = probe.backlog()
    system.servers.kill(server)
    killed = time.monotonic()
    answered = 0
    while (now := time.monotonic() - killed) < seconds:
        _note(outage, probe, now)
        answered = answered or (probe.answered() if now > 5 else 0)
        time.sleep(0.5)
    outage.predictions_away_per_s = round((probe.answered() - answered) / (seconds - 5), 1)
    begun = time.monotonic()
    system.servers.up()
    outage.started = round(time.monotonic() - begun, 1)
    outage.backlog = behind = probe.backlog()
    while outage.green is None or behind > usual + rate * CAUGHT_UP_S * STAGES:
        outage.memory_most_mb = max(outage.memory_most_mb, probe.memory_mb())
        if outage.green is None and not probe.red():
            outage.green = round(time.monotonic() - begun, 1)
        else:
            behind = probe.backlog()
        time.sleep(0.2)
    outage.caught_up = round(time.monotonic() - begun, 1)
    outage.speed_records_per_s = round(outage.backlog / max(outage.caught_up - outage.started, 0.1))
    return outage


def _note(outage: Outage, probe: SystemProbe, now: float) -> None:
    outage.memory_most_mb = max(outage.memory_most_mb, probe.memory_mb())
    problems = probe.red()
    if problems and outage.red is None:
        outage.red = round(now, 1)
    outage.said = list(dict.fromkeys([*outage.said, *problems]))[:8]


def _pace(probe: SystemProbe, seconds: float) -> float:
    before = probe.answered()
    time.sleep(seconds)
    return round((probe.answered() - before) / seconds, 1)


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
    """All outages in turn, then the comparison with a calm replay."""
    total = len(servers) * (seconds + 4 * CALM_S) + 3 * CALM_S
    options = ChaosOptions(0, total, rate)
    report = ChaosReport(0)
    with _system() as system:
        place = system.servers.place
        reader = ChaosReader(place, system.models, PARTITIONS, len(TARGETS))
        publisher = ChaosPublisher(place, PARTITIONS, 0, rate, options.seconds, DAY_SECONDS)
        probe = SystemProbe(system, reader, publisher)
        reader.start()
        publisher.start()
        while not probe.answered() or probe.red():
            time.sleep(0.2)
        outages = []
        for server in servers:
            outages.append(away(system, probe, server, seconds, rate))
            click.echo(json.dumps(asdict(outages[-1])), err=True)
        publisher.join()
        report.catch_up = settle(system, reader, report)
        conclude(system, publisher, reader, report)
    return {"outages": [asdict(outage) for outage in outages], "run": asdict(report)}


@click.command()
@click.argument("servers", nargs=-1, type=click.Choice(PARTS))
@click.option("--seconds", type=Finite(10, 100_000), default=60.0, show_default=True, help="How long each is away.")
@click.option("--rate", type=Finite(1, 100_000), default=200.0, show_default=True, help="Messages per second.")
def main(servers: tuple[str, ...], seconds: float, rate: float) -> None:
    """Take SERVERS (all by default) away under load, one after the other, each with kill -9; print what was seen.

    \b
    python -m load.outages
    python -m load.outages clickhouse --seconds 600
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)  # end the servers on the way out
    found = measure(list(servers or PARTS), seconds, rate)
    click.echo(json.dumps(found, indent=1))
    sys.exit(1 if found["run"]["differences"] else 0)


if __name__ == "__main__":
    main()
