"""A soak: a steady load for a long time; memory must stay flat."""

import statistics
import time
from collections.abc import Sequence

import click

from load.bench.figures import Figures
from load.bench.job import TARGETS
from load.bench.system import VERBS, System

RATE = 1000
CHUNK_S = 20
"""Made and published at a time; memory is looked at after each."""
GROUPS = ("scoring", "learning", "monitoring", "history")
"""One verb of each worker process."""


def measure(system: System, minutes: float, figures: Figures) -> None:
    """All stages at 1,000 events/s; memory per process over time goes into the JSON."""
    expected, begun = 0, 0
    samples: dict[str, list[float]] = {verb: [] for verb in GROUPS}
    with system.reader() as reader, system.workers(*VERBS) as workers:
        end = time.monotonic() + 60 * minutes
        while time.monotonic() < end:
            system.publisher.paced(system.job.paced(RATE, CHUNK_S, begun), RATE)
            system.publisher.due.clear()
            begun += CHUNK_S
            expected += TARGETS * RATE * CHUNK_S
            for verb, found in samples.items():
                found.append(workers.rss_mib(verb))
            told = ", ".join(f"{verb} {found[-1]:.0f}" for verb, found in samples.items())
            click.echo(f"  {begun} s, MiB: {told}", err=True)
        reader.wait_for(expected)
    for verb, found in samples.items():
        later = found[len(found) // 2 :]
        figures.add(f"soak, {verb}: memory in the end", "MiB", found[-1])
        figures.add(f"soak, {verb}: growth in the second half", "MiB/min", _slope(later) * 60 / CHUNK_S)
    figures.extras["soak_memory_mib"] = samples


def _slope(values: Sequence[float]) -> float:
    """Least squares, per sample."""
    if len(values) < 2:
        return 0.0
    return statistics.linear_regression(range(len(values)), values).slope
