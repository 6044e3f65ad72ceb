"""`tidecast bench`: all parts of the benchmark, by one command."""

import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from load.baselines.measure import measure as measure_baseline
from load.baselines.worker import MODULES
from load.bench import profiling
from load.bench.figures import Figures
from load.bench.parts import kill_midway, many_customers, recovery, soak, stored
from load.bench.parts.draining import alone, together
from load.bench.parts.latency import ladder
from load.bench.system import EXPLICIT_OUTCOMES, VERBS, BenchSystem, server_versions, servers
from load.cli_types import Finite, writable


class Bench:
    """What all parts share."""

    def __init__(
        self,
        events: int,
        midway_events: int,
        runs: int,
        partitions: int,
        rates: tuple[int, ...],
        seconds: int,
        customer_counts: Sequence[int],
    ) -> None:
        self.events = events
        self.midway_events = midway_events
        self.runs = runs
        self.partitions = partitions
        self.rates = rates
        self.seconds = seconds
        self.customer_counts = customer_counts
        self.figures = Figures()

    def options(self) -> dict[str, Any]:
        """What was asked for."""
        return {name: value for name, value in vars(self).items() if name != "figures"}

    def baselines(self) -> None:
        """The same job by a bare loop, plain Faust and a confluent-kafka loop (load/baselines)."""
        for _ in range(self.runs):
            for kind in MODULES:
                found = measure_baseline(kind, min(self.events, SLOW_EVENTS) if kind == "faust" else self.events)
                self.figures.add(f"baseline {kind}: drain", "events/s", found.drain_events_per_s)
                self.figures.add(f"baseline {kind}: CPU", "µs/event", found.cpu_us_per_event)

    def drain(self) -> None:
        """A backlog through scoring and learning, and through all stages."""
        for _ in range(self.runs):
            for verbs, label in ((("scoring", "learning"), "scoring + learning"), (VERBS, "all stages")):
                system = BenchSystem(self.partitions)
                together(system, system.job.backlog(self.events), self.figures, verbs, label)

    def stages(self) -> None:
        """Each stage alone."""
        for _ in range(self.runs):
            system = BenchSystem(self.partitions)
            alone(system, system.job.backlog(self.events // 6), self.figures)

    def latency(self) -> None:
        """From event to readable prediction, at a ladder of loads."""
        system = BenchSystem(self.partitions)
        ladder(system, system.job.backlog(self.events // 8), self.rates, self.seconds, self.runs, self.figures)

    def stored(self) -> None:
        """Bytes per event in Kafka, Redis and ClickHouse."""
        for _ in range(self.runs):
            system = BenchSystem(self.partitions)
            stored.measure(system, system.job.backlog(self.events // 12), self.figures)

    def memory(self) -> None:
        """Memory against the number of customers."""
        for customers in self.customer_counts:
            for _ in range(self.runs):
                found = many_customers.measure(BenchSystem(self.partitions), customers, customers)
                label = f"{customers:,} customers"
                self.figures.add(f"{label}: scoring's memory at most", "MiB", found.worker_peak_mib)
                self.figures.add(f"{label}: Redis", "bytes/customer", found.redis_bytes_per_customer)

    def recovery(self) -> None:
        """kill -9 of the scorer, with the fewest and the most customers."""
        for customers in sorted({min(self.customer_counts), max(self.customer_counts)}):
            recovery.measure(BenchSystem(self.partitions), customers, self.runs, self.figures)

    def kill_midway(self) -> None:
        """kill -9 of the scorer when half of a backlog is done, and what of it is left in the end."""
        for _ in range(self.runs):
            kill_midway.measure(
                BenchSystem(self.partitions, use_case=EXPLICIT_OUTCOMES), self.midway_events, self.figures
            )

    def workers(self) -> None:
        """One scoring process against two."""
        for _ in range(self.runs):
            for processes in (1, 2):
                system = BenchSystem(self.partitions)
                backlog, label = system.job.backlog(self.events), f"{processes} scoring process(es)"
                together(system, backlog, self.figures, ("scoring",), label, processes)


PARTS: dict[str, Callable[[Bench], None]] = {
    "baselines": Bench.baselines,
    "drain": Bench.drain,
    "stages": Bench.stages,
    "latency": Bench.latency,
    "stored": Bench.stored,
    "memory": Bench.memory,
    "recovery": Bench.recovery,
    "kill-midway": Bench.kill_midway,
    "workers": Bench.workers,
}
SLOW_EVENTS = 20_000
"""Of the backlog, for a system that needs long for more."""
SHORT = ("drain", "latency", "recovery", "kill-midway")


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("parts", nargs=-1, metavar="[PART]...", type=click.Choice(list(PARTS)))
@click.option("--short", is_flag=True, help="Fewer events, rates, parts and runs.")
@click.option(
    "--events",
    type=click.IntRange(1000),
    help="Size of a backlog.  [default: 300,000, kill-midway 500,000; short 50,000 and 20,000]",
)
@click.option("--runs", type=click.IntRange(1), help="Runs of each measurement.  [default: 3; short 1]")
@click.option("--rate", "rates", multiple=True, type=click.IntRange(1), help="Offered events/s; again for more.")
@click.option(
    "--customers",
    "customer_counts",
    multiple=True,
    type=click.IntRange(1),
    help="For memory and recovery; again for more.",
)
@click.option("--seconds", type=click.IntRange(1), help="How long at each rate.  [default: 15; short 8]")
@click.option("--soak", "minutes", type=Finite(0.5, 10_000), help="Only a soak of so many minutes, after a backlog.")
@click.option(
    "--profile", "folder", type=click.Path(path_type=Path, file_okay=False), help="Only flame graphs, into that folder."
)
@click.option("--partitions", default=4, show_default=True, type=click.IntRange(1, 64))
@click.option(
    "--json",
    "file",
    type=click.Path(path_type=Path, dir_okay=False, writable=True),
    callback=writable,
    help="Write all figures there.",
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

    The reference job (load/reference): 84-byte events of 48,000 customers, 20 features, two logistic targets asked on
    every event, learning on, Redis with its append-only file, all acks. A table of least, median and greatest.

    \b
    tidecast bench                         # everything: about 25 minutes
    tidecast bench --short                 # drain, latency, recovery, kill-midway: two to three minutes
    tidecast bench drain --runs 5 --json drain.json
    tidecast bench latency --rate 5000 --seconds 60
    tidecast bench kill-midway             # kill -9 in the midst of 500,000 events, and what of it is left
    tidecast bench --soak 20
    tidecast bench --profile flames --events 50000
    """
    bench = Bench(
        events or (50_000 if short else 300_000),
        events or (20_000 if short else 500_000),
        runs or (1 if short else 3),
        partitions,
        rates or ((1000, 5000) if short else (1000, 5000, 10_000, 15_000)),
        seconds or (8 if short else 15),
        customer_counts or ((10_000,) if short else (10_000, 100_000, 1_000_000)),
    )
    alone = "--soak" if minutes is not None else "--profile" if folder is not None else ""
    if alone and (parts or short or (folder is not None and (file is not None or minutes is not None))):
        raise click.UsageError(f"{alone} is measured alone: without parts and --short; --profile also without --json")
    _warn_if_busy()
    chosen = parts or (SHORT if short else tuple(PARTS))
    began = time.monotonic()
    if folder is not None:
        with servers():
            system = BenchSystem(partitions)
            for profile in profiling.measure(system, system.job.backlog(bench.events), folder):
                click.echo(profile)
        return
    try:
        with servers():
            bench.figures.environment["servers"] = server_versions()
            if minutes is not None:
                chosen = ("soak",)
                soak.measure(BenchSystem(partitions), minutes, bench.events, bench.figures)
            else:
                for name in chosen:
                    click.echo(f"{name} … ({time.monotonic() - began:.0f} s)", err=True)
                    PARTS[name](bench)
    finally:  # what was measured before ^C or an error is not lost
        _tell(bench, {"parts": chosen, **bench.options()}, file)
        click.echo(f"{time.monotonic() - began:.0f} s in all", err=True)


def _warn_if_busy() -> None:
    busy, cores = os.getloadavg()[0], os.cpu_count() or 1
    if busy > cores / 4:
        click.echo(f"other work is going on (load {busy:.1f} on {cores} cores): figures will be too low", err=True)


def _tell(bench: Bench, options: dict[str, Any], file: Path | None) -> None:
    if not bench.figures.all():
        return  # an older file of figures is worth more than an empty one
    for line in bench.figures.table():
        click.echo(line)
    if file is not None:
        file.write_text(bench.figures.json(options) + "\n")


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # as after ^C: workers and servers are ended
    main(prog_name="tidecast bench")
