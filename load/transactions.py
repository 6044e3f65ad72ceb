"""The cost of transactions: throughput and latency with and without them, alternating on the same machine."""

import json
from pathlib import Path

import click

from load.bench.figures import Figures, environment
from load.bench.parts.draining import together
from load.bench.parts.latency import ladder
from load.bench.system import BenchSystem, servers

SETTING = "TIDECAST_TRANSACTIONS"
MODES = ("false", "true")


def measure(mode: str, events: int, rate: int, seconds: int, partitions: int, figures: Figures) -> None:
    """Run both measurements once in one mode."""
    settings = {SETTING: mode}
    system = BenchSystem(partitions, settings)
    together(system, system.job.backlog(events), figures, ("scoring", "learning"), "drain")
    system = BenchSystem(partitions, settings)
    ladder(system, system.job.backlog(events // 4), (rate,), seconds, 1, figures)


def table(by_mode: dict[str, Figures]) -> list[str]:
    """Return a line per figure: minimum, median and maximum of both modes, and the ratio of the medians."""
    lines = [f"{'':48}{'without: min / median / max':>30}{'with: min / median / max':>30}{'ratio':>8}"]
    for without, with_ in zip(*(by_mode[mode].all() for mode in MODES), strict=True):
        texts = [
            " / ".join(f"{value:,.5g}" for value in (min(figure.values), figure.median, max(figure.values)))
            for figure in (without, with_)
        ]
        ratio = with_.median / without.median if without.median else float("nan")
        lines.append(f"{without.name:48}{texts[0]:>30}{texts[1]:>30}{ratio:>8.2f}")
    return lines


@click.command()
@click.option("--runs", default=3, show_default=True, type=click.IntRange(1), help="Measurements of each mode.")
@click.option("--events", default=100_000, show_default=True, type=click.IntRange(1000), help="Size of the backlog.")
@click.option("--rate", default=1000, show_default=True, type=click.IntRange(1), help="Events/s of the latency run.")
@click.option("--seconds", default=20, show_default=True, type=click.IntRange(1), help="Duration of the latency run.")
@click.option("--partitions", default=4, show_default=True, type=click.IntRange(1, 64), help="Partitions per topic.")
@click.option("--json", "file", type=click.Path(path_type=Path), help="Also write the figures to this file.")
def main(runs: int, events: int, rate: int, seconds: int, partitions: int, file: Path | None) -> None:
    """Drain a backlog and measure latency at a steady rate, RUNS times with and without TIDECAST_TRANSACTIONS.

    Starts servers of its own.

    \b
    python -m load.transactions
    python -m load.transactions --runs 1 --rate 5000 --json figures.json
    """
    by_mode = {mode: Figures() for mode in MODES}
    with servers():
        for run in range(runs):
            for mode in MODES:
                click.echo(f"run {run + 1} of {runs}, {SETTING}={mode}", err=True)
                measure(mode, events, rate, seconds, partitions, by_mode[mode])
    for line in table(by_mode):
        click.echo(line)
    if file is not None:
        report = {mode: [figure.to_json() for figure in figures.all()] for mode, figures in by_mode.items()}
        file.write_text(json.dumps({SETTING: report, "environment": environment()}) + "\n")


if __name__ == "__main__":
    main()
