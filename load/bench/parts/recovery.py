"""kill -9 of the scoring process under load: how long no prediction comes, and whether any is missing or twice."""

import time

import click

from load.bench.figures import Figures
from load.bench.job import PACED_MS, TARGETS
from load.bench.pacing import Pacer
from load.bench.reading import PredictionLog, PredictionReader
from load.bench.system import BenchSystem, BenchWorkers

RATE = 1000
PATIENCE_S, SETTLING_S = 60.0, 600.0
BEFORE_S, AFTER_S = 4, 8
"""The kill comes after BEFORE_S of a steady stream, which goes on for AFTER_S."""


def measure(system: BenchSystem, customers: int, runs: int, figures: Figures) -> None:
    """With so many customers in Redis, `runs` kills one after the other."""
    system.publisher.all(system.job.spread(customers, customers))
    with system.reader() as reader, system.pacer() as pacer, system.workers("scoring", "learning") as workers:
        reader.wait_for(TARGETS * customers, patience_s=600)
        _let_time_pass(system, workers)
        for run in range(runs):
            pacer.make(RATE, BEFORE_S + AFTER_S, run * RATE * (BEFORE_S + AFTER_S))
            killed, read = _kill(reader, pacer, workers)
            _tell(figures, f"kill -9 with {customers:,} customers", read, killed)


def _let_time_pass(system: BenchSystem, workers: BenchWorkers) -> None:
    """Up to the first stream: what falls due at once in between (a tenth of a million customers' questions, and their
    examples to be learnt) has nothing to do with a kill."""
    system.publisher.all(system.job.tick(PACED_MS))
    end = time.monotonic() + SETTLING_S
    while lag := system.lags()["scoring"]:
        if time.monotonic() > end:
            raise click.ClickException(f"scoring has {lag} records before it after {SETTLING_S:.0f} s")
        system.check()
        time.sleep(0.5)
    workers.drained("learning")


def _kill(reader: PredictionReader, pacer: Pacer, workers: BenchWorkers) -> tuple[float, PredictionLog]:
    """The moment of the kill (perf_counter), and all that was read before and after it."""
    expected = reader.count + TARGETS * RATE * (BEFORE_S + AFTER_S)
    reader.keep()
    pacer.go()
    time.sleep(BEFORE_S)
    killed = workers.kill("scoring")
    pacer.done()
    try:
        reader.wait_for(expected, PATIENCE_S)
    except click.ClickException as error:
        click.echo(f"  {error.message}", err=True)  # missing is a figure
    time.sleep(1)  # of what was sent twice the last may still come
    return killed, reader.kept()


def _tell(figures: Figures, label: str, read: PredictionLog, killed: float) -> None:
    different = len(read.sources())
    figures.add(f"{label}: until predictions come again", "s", read.back(killed) - killed)
    figures.add(f"{label}: longest silence", "s", read.silence(killed))
    figures.add(f"{label}: sent twice", "predictions", len(read.moments) - different)
    figures.add(f"{label}: missing", "predictions", TARGETS * RATE * (BEFORE_S + AFTER_S) - different)
