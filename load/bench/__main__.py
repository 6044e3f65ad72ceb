"""`tidecast bench`: all parts of the benchmark in one command."""

import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import click

from load.bench import profiling
from load.bench.parts import soak
from load.bench.suite import PARTS, SHORT_PARTS, BenchOptions, BenchSuite
from load.bench.system import BenchSystem, server_versions, servers
from load.cli_types import Finite, writable

DEFAULT_EVENTS, SHORT_EVENTS = 300_000, 50_000
DEFAULT_MIDWAY_EVENTS, SHORT_MIDWAY_EVENTS = 500_000, 20_000
DEFAULT_RATES, SHORT_RATES = (1000, 5000, 10_000, 15_000), (1000, 5000)
DEFAULT_CUSTOMERS, SHORT_CUSTOMERS = (10_000, 100_000, 1_000_000), (10_000,)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("parts", nargs=-1, metavar="[PART]...", type=click.Choice(list(PARTS)))
@click.option("--short", is_flag=True, help="Fewer events, rates, parts and runs.")
@click.option(
    "--events",
    type=click.IntRange(1000),
    help="Size of a backlog.  [default: 300,000, kill-midway 500,000; short 50,000 and 20,000]",
)
@click.option("--runs", type=click.IntRange(1), help="Runs of each measurement.  [default: 3; short 1]")
@click.option("--rate", "rates", multiple=True, type=click.IntRange(1), help="Offered events/s; repeat for more rates.")
@click.option(
    "--customers",
    "customer_counts",
    multiple=True,
    type=click.IntRange(1),
    help="Customers for memory and recovery; repeat for more counts.",
)
@click.option("--seconds", type=click.IntRange(1), help="Duration at each rate.  [default: 15; short 8]")
@click.option("--soak", "minutes", type=Finite(0.5, 10_000), help="Only soak for so many minutes, after a backlog.")
@click.option(
    "--profile", "folder", type=click.Path(path_type=Path, file_okay=False), help="Only write flame graphs there."
)
@click.option("--partitions", default=4, show_default=True, type=click.IntRange(1, 64), help="Partitions per topic.")
@click.option(
    "--json",
    "file",
    type=click.Path(path_type=Path, dir_okay=False, writable=True),
    callback=writable,
    help="Also write the figures to this file.",
)
def main(
    parts: tuple[str, ...],
    short: bool,
    events: int | None,
    runs: int | None,
    rates: tuple[int, ...],
    customer_counts: tuple[int, ...],
    seconds: int | None,
    minutes: float | None,
    folder: Path | None,
    partitions: int,
    file: Path | None,
) -> None:
    """Measure Tidecast on servers of its own: all parts, or each PART named (baselines, drain, stages, latency,
    stored, memory, recovery, kill-midway, workers).

    The reference job (load/reference): 84-byte events of 48,000 customers, 20 features, two logistic targets with a
    question on every event, learning on, Redis with its append-only file, all acks. Prints a table with minimum,
    median and maximum of each figure.

    \b
    tidecast bench                         # everything: about 25 minutes
    tidecast bench --short                 # drain, latency, recovery, kill-midway: two to three minutes
    tidecast bench drain --runs 5 --json drain.json
    tidecast bench latency --rate 5000 --seconds 60
    tidecast bench kill-midway             # kill -9 midway through 500,000 events; nothing may be lost
    tidecast bench --soak 20
    tidecast bench --profile flames --events 50000
    """
    options = BenchOptions(
        events or (SHORT_EVENTS if short else DEFAULT_EVENTS),
        events or (SHORT_MIDWAY_EVENTS if short else DEFAULT_MIDWAY_EVENTS),
        runs or (1 if short else 3),
        partitions,
        rates or (SHORT_RATES if short else DEFAULT_RATES),
        seconds or (8 if short else 15),
        customer_counts or (SHORT_CUSTOMERS if short else DEFAULT_CUSTOMERS),
    )
    alone = "--soak" if minutes is not None else "--profile" if folder is not None else ""
    if alone and (parts or short or (folder is not None and (file is not None or minutes is not None))):
        raise click.UsageError(f"{alone} runs alone: without parts and --short; --profile also without --json")
    _warn_if_busy()
    if folder is not None:
        _profile(options, folder)
    else:
        _measure(BenchSuite(options), parts or (SHORT_PARTS if short else tuple(PARTS)), minutes, file)


def _warn_if_busy() -> None:
    busy, cores = os.getloadavg()[0], os.cpu_count() or 1
    if busy > cores / 4:
        click.echo(f"this machine is busy (load {busy:.1f} on {cores} cores): the figures will be too low", err=True)


def _profile(options: BenchOptions, folder: Path) -> None:
    with servers():
        system = BenchSystem(options.partitions)
        for profile in profiling.measure(system, system.job.backlog(options.events), folder):
            click.echo(profile)


def _measure(suite: BenchSuite, parts: Sequence[str], soak_minutes: float | None, file: Path | None) -> None:
    began = time.monotonic()
    if soak_minutes is not None:
        parts = ("soak",)
    try:
        with servers():
            suite.figures.environment["servers"] = server_versions()
            if soak_minutes is not None:
                soak.measure(BenchSystem(suite.options.partitions), soak_minutes, suite.options.events, suite.figures)
                return
            for name in parts:
                click.echo(f"{name} … ({time.monotonic() - began:.0f} s)", err=True)
                PARTS[name](suite)
    finally:  # ^C and errors do not lose what was measured before
        _write(suite, parts, file)
        click.echo(f"{time.monotonic() - began:.0f} s in all", err=True)


def _write(suite: BenchSuite, parts: Sequence[str], file: Path | None) -> None:
    if not suite.figures.all():
        return  # an older file of figures is worth more than an empty one
    for line in suite.figures.table():
        click.echo(line)
    if file is not None:
        file.write_text(suite.figures.json({"parts": parts, **suite.options.to_json()}) + "\n")


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # like ^C: workers and servers are ended
    main(prog_name="tidecast bench")
