"""The soak: a steady load for a long time. Memory must stay flat, and no lag may remain."""

import statistics
import time
from collections.abc import Sequence

import click

from load.bench.figures import Figures
from load.bench.job import TARGETS
from load.bench.pacing import Pacer
from load.bench.system import BenchSystem
from load.bench.workers import BenchWorkers
from load.stages import one_of_each_process

RATE = 1000
SAMPLE_S = 5.0
LINE_EVERY = 12
"""Samples between two lines of output."""
FLAT = 0.05
"""Largest growth in the second half that counts as flat, as a share of the mean memory. Caches fill in the first
half."""
PATIENCE_S = 120.0


def measure(system: BenchSystem, minutes: float, events: int, figures: Figures) -> None:
    """Measure all stages at 1,000 events/s, after a backlog of `events` events.

    After the backlog most customers are known, so growth that remains has other causes. The JSON gets the memory of
    each process over time."""
    seconds = round(60 * minutes)
    system.publisher.all(system.job.backlog(events))
    with system.reader() as reader, system.pacer() as pacer, system.workers() as workers:
        pacer.prepare_stream(RATE, seconds)
        workers.wait_ready()
        first = workers.identities()
        reader.wait_for(TARGETS * events)
        _lags(system, time.perf_counter())
        before = _cpu_s(workers, system)
        pacer.start()
        samples = _sampled(pacer, workers, system)
        paced, ended = pacer.wait(), time.perf_counter()
        used = {name: cpu - before[name] for name, cpu in _cpu_s(workers, system).items()}
        lags = _lags(system, ended)
        reader.wait_for(TARGETS * (events + RATE * seconds))
        figures.add("soak: worker processes that were restarted", "", len(workers.identities() - first))
    figures.add("soak: events offered", "events/s", RATE * seconds / (paced.ended - paced.began))
    figures.add("soak: publisher's delay, at most", "ms", 1000 * paced.max_delay_s)
    for name, cpu in used.items():
        figures.add(f"soak, {name}: CPU", "cores", cpu / (paced.ended - paced.began))
    for stage, (records, caught_up) in lags.items():
        figures.add(f"soak, {stage}: lag in the end", "records", records)
        figures.add(f"soak, {stage}: caught up after", "s", caught_up)
    for name, found in samples.items():
        _add_figures(figures, name, found)
    figures.extras["soak_memory_mib"] = samples


def _cpu_s(workers: BenchWorkers, system: BenchSystem) -> dict[str, float]:
    """Return the CPU time of each worker and server so far."""
    return {name: workers.cpu_s(name) for name in one_of_each_process()} | system.servers_cpu_s()


def _sampled(pacer: Pacer, workers: BenchWorkers, system: BenchSystem) -> dict[str, list[float]]:
    """Sample the resident memory in MiB of each worker and server, every SAMPLE_S until everything is published."""
    samples: dict[str, list[float]] = {}
    number = 0
    while not pacer.has_answer(SAMPLE_S):
        now = {name: workers.rss_mib(name) for name in one_of_each_process()} | system.servers_rss_mib()
        for name, value in now.items():
            samples.setdefault(name, []).append(value)
        number += 1
        if number % LINE_EVERY == 0:
            sizes = ", ".join(f"{name} {value:.0f}" for name, value in now.items())
            click.echo(f"  {number * SAMPLE_S:.0f} s, MiB: {sizes}", err=True)
    return samples


def _lags(system: BenchSystem, ended: float) -> dict[str, tuple[int, float]]:
    """Return stage → its lag in records when the last event was published, and the seconds until it was 0.

    Learners are left out: they report their position in snapshots only."""
    found: dict[str, tuple[int, float]] = {}
    while time.perf_counter() < ended + PATIENCE_S:
        lags = system.lags()
        now = time.perf_counter() - ended
        for stage, lag in lags.items():
            first, _ = found.get(stage, (lag, now))
            if stage not in found or lag:
                found[stage] = (first, now)
        if not any(lags.values()):
            return found
    return found


def _add_figures(figures: Figures, name: str, samples: Sequence[float]) -> None:
    later = samples[len(samples) // 2 :]
    growth = slope(later) * len(later)
    figures.add(f"soak, {name}: memory in the end", "MiB", samples[-1])
    figures.add(f"soak, {name}: growth in the second half", "MiB/min", slope(later) * 60 / SAMPLE_S)
    if name in one_of_each_process():
        flat = growth <= FLAT * statistics.mean(later)
        click.echo(f"{name}: {'flat' if flat else 'NOT flat'}, {growth:+.1f} MiB in the second half")


def slope(values: Sequence[float]) -> float:
    """Return the least-squares slope per sample."""
    if len(values) < 2:
        return 0.0
    return statistics.linear_regression(range(len(values)), values).slope
