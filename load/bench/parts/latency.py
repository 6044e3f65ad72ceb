"""Latency from the time an event is due until its prediction is readable, at increasing rates.

The load is an open loop: a slow system does not slow the offered events (load/bench/pacing)."""

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click
import psutil
from hdrh.histogram import HdrHistogram

from load.bench.figures import Figures
from load.bench.job import TARGETS, EncodedRecord
from load.bench.pacing import PacedRun, Pacer
from load.bench.reading import PredictionReader
from load.bench.system import BenchSystem
from load.bench.workers import BenchWorkers, cpu_s

PERCENTILES = (50.0, 99.0, 99.9, 100.0)
KNEE_MS = 1000.0
"""A step with a higher p99 is above the knee; higher rates are not tried."""
WARM_RATE, BROKER_WARM_S = 5_000, 30
"""Rate and seconds of an unmeasured stream before all steps. A new broker compiles Java for so long. Horizons are a
day, or 17,000 events; after that, as many questions fall due as are asked."""
WARM_S = 4
"""Unmeasured seconds at the start of each step."""


def ladder(
    system: BenchSystem, backlog: list[EncodedRecord], rates: Sequence[int], seconds: int, runs: int, figures: Figures
) -> None:
    """Measure all rates in turn, `runs` times. Adds the histograms to the JSON (HdrHistogram in base64, µs)."""
    events = sum(record.partition is None for record in backlog)
    system.publisher.all(backlog)
    histograms: dict[str, list[str]] = {}
    begun = 0
    with system.reader() as reader, system.pacer() as pacer, system.workers("scoring", "learning") as workers:
        expected = TARGETS * events
        reader.wait_for(expected)
        usage = _Usage(system, workers, reader)
        pacer.prepare(WARM_RATE, BROKER_WARM_S, begun)
        begun += WARM_RATE * BROKER_WARM_S
        expected += TARGETS * WARM_RATE * BROKER_WARM_S
        pacer.start()
        pacer.wait()
        reader.wait_for(expected)
        for _ in range(runs):
            for rate in rates:
                click.echo(f"  {rate:,} events/s …", err=True)
                pacer.prepare(rate, WARM_S + seconds, begun)
                begun += rate * (WARM_S + seconds)
                expected += TARGETS * rate * (WARM_S + seconds)
                usage.begin()
                paced, histogram = _step(reader, pacer, expected, usage)
                histograms.setdefault(str(rate), []).append(histogram.encode().decode())
                _add_figures(figures, rate, histogram, usage.cores, paced)
                if histogram.get_value_at_percentile(99.0) > 1000 * KNEE_MS:
                    break
    figures.extras["latency_histograms_us"] = histograms


class _Usage:
    """Cores that each process uses during a step."""

    def __init__(self, system: BenchSystem, workers: BenchWorkers, reader: PredictionReader) -> None:
        self._system = system
        self._workers = workers
        self._reader = psutil.Process(reader.process_id)
        self.cores: Mapping[str, float] = {}

    def begin(self) -> None:
        """Start the step."""
        self._began, self._before = time.perf_counter(), self._now()

    def end(self) -> None:
        """End the step."""
        took = time.perf_counter() - self._began
        self.cores = {name: (used - self._before[name]) / took for name, used in self._now().items()}

    def _now(self) -> dict[str, float]:
        verbs = {verb: self._workers.cpu_s(verb) for verb in ("scoring", "learning")}
        return {**verbs, **self._system.servers_cpu_s(), "reader": cpu_s(self._reader)}


def _step(reader: PredictionReader, pacer: Pacer, expected: int, usage: _Usage) -> tuple[PacedRun, HdrHistogram]:
    """Measure one rate; return the latencies of all predictions after the warm-up, in µs with 3 significant digits."""
    reader.record()
    pacer.start()
    paced = pacer.wait()
    reader.wait_for(expected)
    usage.end()
    read, due = reader.recorded().sources(), pacer.positions().by_position()
    lacking = TARGETS * len(due) - len(read)
    if lacking > 0:
        raise click.ClickException(f"{lacking} predictions are missing while others came twice: run the step again")
    histogram = HdrHistogram(1, 600_000_000, 3)
    for latency in latencies(due, read, paced.began + WARM_S):
        histogram.record_value(max(1, round(1e6 * latency)))
    return paced, histogram


def latencies(
    due: Mapping[tuple[int, int], float], read: Mapping[tuple[int, int, int], float], warm: float
) -> Iterator[float]:
    """Yield the latencies in s of the events that were due at `warm` or later."""
    for (partition, offset, _), now in read.items():
        moment = due.get((partition, offset))
        if moment is not None and moment >= warm:
            yield now - moment


def _add_figures(figures: Figures, rate: int, histogram: Any, cores: Mapping[str, float], paced: PacedRun) -> None:
    for percentile in PERCENTILES:
        name = "max" if percentile == 100.0 else f"p{percentile:g}"
        value = histogram.get_value_at_percentile(percentile) / 1000
        figures.add(f"event to prediction readable at {rate:,}/s: {name}", "ms", value)
    for name, used in cores.items():
        figures.add(f"{name} at {rate:,}/s", "cores", used)
    figures.add(f"publisher at {rate:,}/s", "cores", paced.cores)
    figures.add(f"publisher's delay at {rate:,}/s, at most", "ms", 1000 * paced.max_delay_s)
