"""Latency from the moment an event is meant for to the moment its prediction can be read, at a ladder of loads.

Tidecast is loaded in an open loop: a slow system does not slow what is offered (load/bench/pacing)."""

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
from load.bench.system import BenchSystem, BenchWorkers, cpu_s

PERCENTILES = (50.0, 99.0, 99.9, 100.0)
KNEE_MS = 1000.0
"""A step whose p99 is beyond this is above the knee; higher ones are not tried."""
WARM_RATE, BROKER_WARM_S = 5_000, 30
"""Once, unmeasured, before all: a broker that has just been started is still being compiled, by Java, for so long; and
horizons are a day, which is 17,000 events, so that from then on as much falls due as is asked."""
WARM_S = 4
"""At each rate, unmeasured, before the measurement."""


def ladder(
    system: BenchSystem, backlog: list[EncodedRecord], rates: Sequence[int], seconds: int, runs: int, figures: Figures
) -> None:
    """All rates in turn, `runs` times. Histograms go into the JSON (HdrHistogram's base64, µs)."""
    events = sum(one.partition is None for one in backlog)
    system.publisher.all(backlog)
    histograms: dict[str, list[str]] = {}
    begun = 0
    with system.reader() as reader, system.pacer() as pacer, system.workers("scoring", "learning") as workers:
        expected = TARGETS * events
        reader.wait_for(expected)
        usage = _Usage(system, workers, reader)
        pacer.make(WARM_RATE, BROKER_WARM_S, begun)
        begun += WARM_RATE * BROKER_WARM_S
        expected += TARGETS * WARM_RATE * BROKER_WARM_S
        pacer.go()
        pacer.done()
        reader.wait_for(expected)
        for _ in range(runs):
            for rate in rates:
                click.echo(f"  {rate:,} events/s …", err=True)
                pacer.make(rate, WARM_S + seconds, begun)
                begun += rate * (WARM_S + seconds)
                expected += TARGETS * rate * (WARM_S + seconds)
                usage.begin()
                paced, histogram = _step(reader, pacer, expected, usage)
                histograms.setdefault(str(rate), []).append(histogram.encode().decode())
                _tell(figures, rate, histogram, usage.cores, paced)
                if histogram.get_value_at_percentile(99.0) > 1000 * KNEE_MS:
                    break
    figures.extras["latency_histograms_us"] = histograms


class _Usage:
    """Cores that each process used during a step."""

    def __init__(self, system: BenchSystem, workers: BenchWorkers, reader: PredictionReader) -> None:
        self._system = system
        self._workers = workers
        self._reader = psutil.Process(reader.process_id)
        self.cores: Mapping[str, float] = {}

    def begin(self) -> None:
        """The step begins."""
        self._began, self._before = time.perf_counter(), self._now()

    def end(self) -> None:
        """The step has ended."""
        took = time.perf_counter() - self._began
        self.cores = {name: (used - self._before[name]) / took for name, used in self._now().items()}

    def _now(self) -> dict[str, float]:
        verbs = {verb: self._workers.cpu_s(verb) for verb in ("scoring", "learning")}
        return {**verbs, **self._system.servers_cpu_s(), "reader": cpu_s(self._reader)}


def _step(reader: PredictionReader, pacer: Pacer, expected: int, usage: _Usage) -> tuple[PacedRun, HdrHistogram]:
    """One rate: every prediction's latency after the warm-up, in µs, 3 digits."""
    reader.keep()
    pacer.go()
    paced = pacer.done()
    reader.wait_for(expected)
    usage.end()
    read, due = reader.kept().sources(), pacer.places().by_place()
    lacking = TARGETS * len(due) - len(read)
    if lacking > 0:
        raise click.ClickException(f"{lacking} predictions were not read, though others came twice: nothing is told")
    histogram = HdrHistogram(1, 600_000_000, 3)
    for latency in latencies(due, read, paced.began + WARM_S):
        histogram.record_value(max(1, round(1e6 * latency)))
    return paced, histogram


def latencies(
    due: Mapping[tuple[int, int], float], read: Mapping[tuple[int, int, int], float], warm: float
) -> Iterator[float]:
    """In s, of what was meant for a moment from `warm` on."""
    for (partition, offset, _), now in read.items():
        moment = due.get((partition, offset))
        if moment is not None and moment >= warm:
            yield now - moment


def _tell(figures: Figures, rate: int, histogram: Any, cores: Mapping[str, float], paced: PacedRun) -> None:
    for percentile in PERCENTILES:
        name = "max" if percentile == 100.0 else f"p{percentile:g}"
        value = histogram.get_value_at_percentile(percentile) / 1000
        figures.add(f"event to prediction readable at {rate:,}/s: {name}", "ms", value)
    for name, used in cores.items():
        figures.add(f"{name} at {rate:,}/s", "cores", used)
    figures.add(f"publisher at {rate:,}/s", "cores", paced.cpu)
    figures.add(f"publisher behind at {rate:,}/s, at most", "ms", 1000 * paced.behind)
