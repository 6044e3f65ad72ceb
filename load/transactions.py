"""What the transactional mode costs: throughput and latency with and without it, in turn, so that both meet the same
machine."""

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
    """One run of one mode."""
    settings = {SETTING: mode}
    system = BenchSystem(partitions, settings)
    together(system, system.job.backlog(events), figures, ("scoring", "learning"), "drain")
    system = BenchSystem(partitions, settings)
    ladder(system, system.job.backlog(events // 4), (rate,), seconds, 1, figures)


def table(found: dict[str, Figures]) -> list[str]:
    """A line per figure: least, median and greatest of both modes, and the ratio of the medians."""
    lines = [f"{'':48}{'without: min / median / max':>30}{'with: min / median / max':>30}{'ratio':>8}"]
    for plain, ours in zip(*(found[mode].spreads() for mode in MODES), strict=True):
        texts = [
            " / ".join(f"{value:,.5g}" for value in (min(one.values), one.median, max(one.values)))
            for one in (plain, ours)
        ]
        ratio = ours.median / plain.median if plain.median else float("nan")
        lines.append(f"{plain.name:48}{texts[0]:>30}{texts[1]:>30}{ratio:>8.2f}")
    return lines


@click.command()
@click.option("--runs", default=3, show_default=True, type=click.IntRange(1), help="Measurements of each mode.")
@click.option("--events", default=100_000, show_default=True, type=click.IntRange(1000), help="Size of the backlog.")
@click.option("--rate", default=1000, show_default=True, type=click.IntRange(1), help="Events/s for the latency.")
@click.option("--seconds", default=20, show_default=True, type=click.IntRange(1), help="How long at that rate.")
@click.option("--partitions", default=4, show_default=True, type=click.IntRange(1, 64))
@click.option("--json", "file", type=click.Path(path_type=Path), help="Write all figures there too.")
def main(runs: int, events: int, rate: int, seconds: int, partitions: int, file: Path | None) -> None:
    """Drain a backlog and measure the latency at a steady rate, RUNS times with and without TIDECAST_TRANSACTIONS.

    Starts its own servers.

    \b
    python -m load.transactions
    python -m load.transactions --runs 1 --rate 5000 --json figures.json
    """
    found = {mode: Figures() for mode in MODES}
    with servers():
        for number in range(runs):
            for mode in MODES:
                click.echo(f"run {number + 1} of {runs}, {SETTING}={mode}", err=True)
                measure(mode, events, rate, seconds, partitions, found[mode])
    for line in table(found):
        click.echo(line)
    if file is not None:
        told = {mode: [spread.told() for spread in figures.spreads()] for mode, figures in found.items()}
        file.write_text(json.dumps({SETTING: told, "environment": environment()}) + "\n")


if __name__ == "__main__":
    main()
