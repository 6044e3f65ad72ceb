"""`python -m load.chaos`, also `tidecast chaos`: inject faults and check that they leave no trace."""

import json
import os
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

import click

from load.chaos.guards.sabotage import GUARDS
from load.chaos.run import ChaosOptions, ChaosReport, abort, run
from load.cli_types import Finite, writable

WITHOUT = f"Switch guards off, so that the run must fail. Guards: {', '.join(GUARDS)}."


def _guards(_context: click.Context, _option: click.Parameter, value: str) -> tuple[str, ...]:
    names = tuple(filter(None, value.split(",")))
    for name in names:
        if name not in GUARDS:
            raise click.BadParameter(f"there is no guard {name!r}; choose from {', '.join(GUARDS)}")
    return names


def _stop(*_: object) -> None:
    click.echo("stopping: ending workers and servers", err=True)
    abort()
    os._exit(130)


class _Output:
    """Prints the progress and the reports of several runs at once, and appends the reports to a file."""

    def __init__(self, quiet: bool, file: Path | None) -> None:
        self._quiet = quiet
        self._file = file
        self._lock = threading.Lock()

    def say(self, text: str) -> None:
        """Print progress, unless quiet."""
        if not self._quiet:
            click.echo(text, err=True)

    def add(self, report: ChaosReport) -> None:
        """Print and write a report."""
        with self._lock:
            click.echo(report.line)
            for difference in report.differences:
                click.echo(f"  {difference}")
            if report.folder:
                click.echo(f"  kept: {report.folder}")
            if self._file is not None:
                with self._file.open("a") as out:
                    out.write(json.dumps(asdict(report)) + "\n")


@click.command()
@click.option(
    "--minutes", type=Finite(0.3, 600), default=2.0, show_default=True, help="Length of the event stream of each run."
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of the first run.")
@click.option("--seeds", type=click.IntRange(1), default=1, show_default=True, help="Runs, each with the next seed.")
@click.option("--jobs", type=click.IntRange(1, 32), default=1, show_default=True, help="Runs at the same time.")
@click.option("--rate", type=Finite(1, 100_000), default=50.0, show_default=True, help="Messages per second.")
@click.option("--transactions", is_flag=True, help="Use transactions, and a reader without marks.")
@click.option("--wall", is_flag=True, help="On a wall clock, with a machine whose clock is wrong and a silent stream.")
@click.option("--without", default="", metavar="GUARD[,GUARD]", callback=_guards, help=WITHOUT)
@click.option("--keep", is_flag=True, help="Keep the folder of every run.")
@click.option("--quiet", is_flag=True, help="Print one line per run only.")
@click.option(
    "--json",
    "file",
    type=click.Path(path_type=Path, dir_okay=False, writable=True),
    callback=writable,
    help="Append the report of each run to this file, one line each.",
)
def main(
    minutes: float,
    seed: int,
    seeds: int,
    jobs: int,
    rate: float,
    transactions: bool,
    wall: bool,
    without: tuple[str, ...],
    keep: bool,
    quiet: bool,
    file: Path | None,
) -> None:
    """Run the whole system, with real processes on real servers, under a seeded schedule of faults while events
    flow. Then replay the logs undisturbed and compare features, predictions, examples, models, metrics and rows.

    Each run has its own servers and folder, and takes about two minutes more than --minutes. The folder of a run
    with differences is kept. Exit code: 0 when all runs are identical, 1 when one differs, 3 when servers did not
    start (whether or not another run differs).

    \b
    tidecast chaos --minutes 2 --seed 7
    tidecast chaos --seeds 50 --jobs 2 --quiet --json chaos.jsonl
    tidecast chaos --wall                            # two hours ahead, and a silence
    tidecast chaos --without position-cas            # must differ
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    output = _Output(quiet, file)

    def run_one(number: int) -> ChaosReport:
        report = run(ChaosOptions(number, 60 * minutes, rate, without, transactions, wall, keep), output.say)
        output.add(report)
        return report

    with ThreadPoolExecutor(jobs) as pool:
        reports = list(pool.map(run_one, range(seed, seed + seeds)))
    different = sum(bool(report.differences) for report in reports)
    failed = sum(report.failed for report in reports)
    if seeds > 1:
        faults = sum(len(report.faults) for report in reports)
        click.echo(f"{seeds} runs, {faults:,} faults, {different} different, {failed} failed")
    sys.exit(3 if failed else 1 if different else 0)


if __name__ == "__main__":
    main(prog_name="tidecast chaos")
