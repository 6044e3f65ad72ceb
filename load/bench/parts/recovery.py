"""kill -9 of the scorer under load: how long no predictions come, and whether any is missing or repeated."""

import time

import click

from load.bench.figures import Figures
from load.bench.job import PACED_MS, TARGETS
from load.bench.pacing import Pacer
from load.bench.reading import PredictionLog, PredictionReader
from load.bench.system import BenchSystem
from load.bench.workers import BenchWorkers

RATE = 1000
PATIENCE_S, CATCH_UP_S = 60.0, 600.0
BEFORE_S, AFTER_S = 4, 8
"""The kill comes BEFORE_S seconds into a steady stream, which continues for AFTER_S seconds."""


def measure(system: BenchSystem, customers: int, runs: int, figures: Figures) -> None:
    """Kill the scorer `runs` times, one after the other, with the state of `customers` customers in Redis."""
    system.publisher.all(system.job.spread(customers, customers))
    with system.reader() as reader, system.pacer() as pacer, system.workers("scoring", "learning") as workers:
        reader.wait_for(TARGETS * customers, patience_s=600)
        _let_time_pass(system, workers)
        for run in range(runs):
            pacer.prepare(RATE, BEFORE_S + AFTER_S, run * RATE * (BEFORE_S + AFTER_S))
            killed, log = _kill(reader, pacer, workers)
            _add_figures(figures, f"kill -9 with {customers:,} customers", log, killed)


def _let_time_pass(system: BenchSystem, workers: BenchWorkers) -> None:
    """Advance event time to the first stream, and wait until the stages are idle.

    Many questions fall due at once in between. They must not disturb the measurement of a kill."""
    system.publisher.all(system.job.tick(PACED_MS))
    end = time.monotonic() + CATCH_UP_S
    while lag := system.lags()["scoring"]:
        if time.monotonic() > end:
            raise click.ClickException(f"scoring still has a lag of {lag} records after {CATCH_UP_S:.0f} s")
        system.check()
        time.sleep(0.5)
    workers.drained("learning")


def _kill(reader: PredictionReader, pacer: Pacer, workers: BenchWorkers) -> tuple[float, PredictionLog]:
    """Kill the scorer; return the time of the kill (perf_counter), and all predictions that were read before and after
    it."""
    expected = reader.count + TARGETS * RATE * (BEFORE_S + AFTER_S)
    reader.record()
    pacer.start()
    time.sleep(BEFORE_S)
    killed = workers.kill("scoring")
    pacer.wait()
    try:
        reader.wait_for(expected, PATIENCE_S)
    except click.ClickException as error:
        click.echo(f"  {error.message}", err=True)  # the number of missing predictions is a figure
    time.sleep(1)  # repetitions may still come
    return killed, reader.recorded()


def _add_figures(figures: Figures, label: str, log: PredictionLog, killed: float) -> None:
    different = len(log.sources())
    figures.add(f"{label}: until predictions come again", "s", log.resumed(killed) - killed)
    figures.add(f"{label}: longest silence", "s", log.silence(killed))
    figures.add(f"{label}: sent twice", "predictions", len(log.moments) - different)
    figures.add(f"{label}: missing", "predictions", TARGETS * RATE * (BEFORE_S + AFTER_S) - different)
