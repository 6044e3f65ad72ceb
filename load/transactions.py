"""What the transactional mode costs: the smallest benchmark with and without it, in turn, so that both meet the same
machine."""

import json
import os
import statistics
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click

from load.bench import Figures, environment, measure, system

SETTING = "TIDECAST_TRANSACTIONS"
MODES = ("false", "true")
SHOWN = (
    "drain_events_per_s",
    "scoring_cpu_us_per_event",
    "first_prediction_s",
    "latency_p50_ms",
    "latency_p99_ms",
    "latency_max_ms",
)


def run(mode: str, events: int, rate: int, seconds: int, partitions: int) -> Figures:
    """One measurement on servers of its own."""
    os.environ[SETTING] = mode
    with system(partitions):
        return measure(events, rate, seconds, partitions)


def spread(figures: Sequence[Figures], name: str) -> tuple[float, float, float]:
    """(least, median, greatest) of a figure."""
    values = sorted(float(asdict(one)[name]) for one in figures)
    return values[0], statistics.median(values), values[-1]


def table(without: Sequence[Figures], with_: Sequence[Figures]) -> list[str]:
    """A line per figure: least, median and greatest of both modes, and the ratio of the medians."""
    lines = [f"{'':26}{'without: min / median / max':>34}{'with: min / median / max':>34}{'ratio':>8}"]
    for name in SHOWN:
        plain, ours = spread(without, name), spread(with_, name)
        texts = [" / ".join(f"{value:,.5g}" for value in values) for values in (plain, ours)]
        lines.append(f"{name.replace('_', ' '):26}{texts[0]:>34}{texts[1]:>34}{ours[1] / plain[1]:>8.2f}")
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

    Starts its own servers for each, about a minute and a half.

    \b
    python -m load.transactions
    python -m load.transactions --runs 1 --rate 5000 --json figures.json
    """
    found: dict[str, list[Figures]] = {mode: [] for mode in MODES}
    for number in range(runs):
        for mode in MODES:
            click.echo(f"run {number + 1} of {runs}, {SETTING}={mode}", err=True)
            found[mode].append(run(mode, events, rate, seconds, partitions))
    for line in table(found["false"], found["true"]):
        click.echo(line)
    if file is not None:
        told = {mode: [asdict(one) for one in figures] for mode, figures in found.items()}
        file.write_text(json.dumps({SETTING: told, "environment": environment()}) + "\n")


if __name__ == "__main__":
    main()
