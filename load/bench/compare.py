"""`python -m load.bench.compare OTHER`: the benchmark of this checkout against that of another one.

The two run in turn on the same machine, each with its own Python and servers, so that a drift of the machine's speed
meets both. Only ratios within a pair are compared."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import comb
from pathlib import Path
from typing import Any

import click

from load.bench.suite import PARTS
from load.cli_types import writable

HERE = Path(__file__).parents[2]
LEVEL = 0.95
"""The minimum coverage of an interval, if the number of pairs allows it."""

Name = tuple[str, str]
"""Name and unit of a figure."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A confidence interval of a median. coverage: probability that such an interval contains the true median."""

    low: float
    high: float
    coverage: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """One figure of both checkouts, a value per pair."""

    name: str
    unit: str
    other: tuple[float, ...]
    this: tuple[float, ...]

    @property
    def ratios(self) -> list[float]:
        """This checkout's value divided by the other's, pair by pair."""
        return [this / other for other, this in zip(self.other, self.this, strict=True)]

    def line(self, width: int) -> str:
        """Return a line of the table, the name in `width` columns."""
        ratios, interval = self.ratios, median_interval(self.ratios)
        medians = "".join(f"{statistics.median(values):>11,.5g}" for values in (self.other, self.this))
        numbers = "".join(f"{value:>8.3f}" for value in (min(ratios), statistics.median(ratios), max(ratios)))
        text = f"{interval.low:.3f} to {interval.high:.3f} ({100 * interval.coverage:.1f} %)"
        return f"{self.name:{width}}{medians}{numbers}   {text:24} {self.unit}"

    def to_json(self) -> dict[str, Any]:
        """Return the comparison as a JSON object."""
        median, interval = statistics.median(self.ratios), asdict(median_interval(self.ratios))
        return {**asdict(self), "ratios": self.ratios, "median_ratio": median, "interval": interval}


def median_interval(values: Sequence[float]) -> Interval:
    """Return the sign test's interval of the median: two order statistics of `values`.

    It assumes only that the values are independent. Of 10 values the second lowest and second highest cover the median
    with a probability of 97.9 %. Takes the narrowest interval that covers LEVEL; with fewer than 6 values there is
    none, and it takes the whole range."""
    count, ordered = len(values), sorted(values)
    rank, outside = 0, 2 / 2**count  # probability that the median lies outside the values number rank and -1 - rank
    while (more := outside + 2 * comb(count, rank + 1) / 2**count) <= 1 - LEVEL:
        rank, outside = rank + 1, more
    return Interval(ordered[rank], ordered[-1 - rank], max(0.0, 1 - outside))


def compared(pairs: Sequence[tuple[dict[Name, float], dict[Name, float]]]) -> list[Comparison]:
    """Return the figures that all runs have, in the order of the first run. A figure that is 0 in a run has no
    ratio."""
    names = [name for name in pairs[0][0] if all(figures.get(name) for pair in pairs for figures in pair)]
    return [
        Comparison(*name, tuple(other[name] for other, _ in pairs), tuple(this[name] for _, this in pairs))
        for name in names
    ]


def table(comparisons: Sequence[Comparison]) -> list[str]:
    """Return the comparisons for people, line by line."""
    width = max((len(comparison.name) for comparison in comparisons), default=0)
    head = "".join(f"{title:>11}" for title in ("other", "this")) + "".join(
        f"{title:>8}" for title in ("min", "median", "max")
    )
    lines = [comparison.line(width) for comparison in comparisons]
    return [f"{'':{width}}{head}   interval of the median", *lines]


def measure(checkout: Path, python: Path, arguments: Sequence[str]) -> dict[Name, float]:
    """Run the benchmark of a checkout once, and return the median of each figure. Raises ClickException when it
    fails."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if name == "TIDECAST_CACHE" or not name.startswith("TIDECAST_")
    }
    with tempfile.TemporaryDirectory(prefix="tidecast-compare-") as folder:
        file = Path(folder) / "figures.json"
        command = [str(python), "-m", "load.bench", *arguments, "--json", str(file)]
        done = subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise click.ClickException(f"the benchmark of {checkout} failed:\n{done.stderr[-3000:]}")
        figures = json.loads(file.read_text())["figures"]
    return {(figure["name"], figure["unit"]): figure["median"] for figure in figures}


@click.command()
@click.argument("other", type=click.Path(exists=True, file_okay=False, resolve_path=True, path_type=Path))
@click.argument("parts", nargs=-1, metavar="[PART]...", type=click.Choice(list(PARTS)))
@click.option("--pairs", default=10, show_default=True, type=click.IntRange(1), help="Runs of each checkout.")
@click.option("--events", default=100_000, show_default=True, type=click.IntRange(1000), help="Size of a backlog.")
@click.option("--rate", "rates", multiple=True, type=click.IntRange(1), help="Offered events/s, for latency.")
@click.option(
    "--json",
    "file",
    type=click.Path(path_type=Path, dir_okay=False, writable=True),
    callback=writable,
    help="Also write the comparison to this file.",
)
def main(
    other: Path, parts: tuple[str, ...], pairs: int, events: int, rates: tuple[int, ...], file: Path | None
) -> None:
    """Run PARTs (default: drain) of the benchmark in the checkout OTHER and in this one, in turn, --pairs times each.

    OTHER needs its own virtual environment in .venv. Prints, for each figure, both medians and this checkout's value
    divided by the other's: minimum, median and maximum over the pairs, with a confidence interval of the median ratio.

    \b
    python -m load.bench.compare ../former
    python -m load.bench.compare ../former latency --rate 1000 --pairs 6
    """
    python = other / ".venv" / "bin" / "python"
    if not python.exists():
        raise click.ClickException(f"{python} does not exist: create a virtual environment for that checkout")
    arguments = [*(parts or ("drain",)), "--runs", "1", "--events", str(events)]
    arguments += [word for rate in rates for word in ("--rate", str(rate))]
    found: list[tuple[dict[Name, float], dict[Name, float]]] = []
    try:
        for number in range(pairs):
            click.echo(f"pair {number + 1} of {pairs}", err=True)
            found.append((measure(other, python, arguments), measure(HERE, Path(sys.executable), arguments)))
    finally:  # ^C and errors do not lose the pairs before
        if found:
            _write(compared(found), len(found), file)


def _write(comparisons: Sequence[Comparison], pairs: int, file: Path | None) -> None:
    for line in table(comparisons):
        click.echo(line)
    if file is not None:
        report = {"pairs": pairs, "figures": [comparison.to_json() for comparison in comparisons]}
        file.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main(prog_name="python -m load.bench.compare")
