"""Latency from the moment an event is meant for to the moment its prediction can be read, at a ladder of loads.

Tidecast is loaded in an open loop: a slow system does not slow what is offered (load/bench/publishing)."""

import time
from collections.abc import Iterator, Sequence

import click
from hdrh.histogram import HdrHistogram

from load.bench.figures import Figures
from load.bench.job import TARGETS, Made
from load.bench.reading import Reader
from load.bench.system import System

PERCENTILES = (50.0, 99.0, 99.9, 100.0)
KNEE_MS = 1000.0
"""A step whose p99 is beyond this is above the knee; higher ones are not tried."""
WARM_S = 3
"""At each rate, unmeasured, before the measurement: caches, connections and compiled parts settle."""


def ladder(
    system: System, backlog: list[Made], rates: Sequence[int], seconds: int, runs: int, figures: Figures
) -> None:
    """All rates in turn, `runs` times. Histograms go into the JSON (HdrHistogram's base64, µs)."""
    events = sum(one.partition is None for one in backlog)
    system.publisher.all(backlog)
    histograms: dict[str, list[str]] = {}
    begun = 0
    with system.reader() as reader, system.workers("scoring", "learning") as workers:
        expected = TARGETS * events
        reader.wait_for(expected)
        for _ in range(runs):
            for rate in rates:
                made = system.job.paced(rate, WARM_S + seconds, begun)
                begun += WARM_S + seconds
                expected += TARGETS * rate * (WARM_S + seconds)
                cpu, began = workers.cpu_s("scoring"), time.perf_counter()
                histogram = _step(system, reader, made, rate, expected)
                used = (workers.cpu_s("scoring") - cpu) / (time.perf_counter() - began)
                histograms.setdefault(str(rate), []).append(histogram.encode().decode())
                _tell(figures, rate, histogram, used, system.publisher.behind)
                if histogram.get_value_at_percentile(99.0) > 1000 * KNEE_MS:
                    break
    figures.extras["latency_histograms_us"] = histograms


def _step(system: System, reader: Reader, made: list[Made], rate: int, expected: int) -> HdrHistogram:
    """One rate: every prediction's latency after the warm-up, in µs, 3 digits."""
    click.echo(f"  {rate:,} events/s …", err=True)
    system.publisher.due.clear()
    reader.read.clear()
    reader.keep = True
    system.publisher.paced(made, rate)
    reader.wait_for(expected)
    reader.keep = False
    histogram = HdrHistogram(1, 600_000_000, 3)
    warm = min(system.publisher.due.values()) + WARM_S
    for latency in _latencies(system.publisher.due, reader.sources(), warm):
        histogram.record_value(max(1, round(1e6 * latency)))
    return histogram


def _latencies(
    due: dict[tuple[int, int], float], read: dict[tuple[int, int, int], float], warm: float
) -> Iterator[float]:
    for (partition, offset, _), now in read.items():
        moment = due.get((partition, offset))
        if moment is not None and moment >= warm:
            yield now - moment


def _tell(figures: Figures, rate: int, histogram: HdrHistogram, cores: float, behind: float) -> None:
    for percentile in PERCENTILES:
        name = "max" if percentile == 100.0 else f"p{percentile:g}"
        value = histogram.get_value_at_percentile(percentile) / 1000
        figures.add(f"event to prediction readable at {rate:,}/s: {name}", "ms", value)
    figures.add(f"scoring at {rate:,}/s", "cores", cores)
    figures.add(f"publisher behind at {rate:,}/s, at most", "ms", 1000 * behind)
