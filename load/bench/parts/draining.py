"""Throughput: a backlog drained by all stages together, and by each stage alone."""

import time

from load.bench.figures import Figures
from load.bench.job import TARGETS, EncodedRecord
from load.bench.system import BenchSystem
from load.stages import names

WATCH_S = 10.0
"""The maximum time, seconds, for which a stage is measured. Its rate stays the same after that."""


def together(
    system: BenchSystem,
    backlog: list[EncodedRecord],
    figures: Figures,
    verbs: tuple[str, ...],
    label: str,
    processes: int = 1,
) -> None:
    """Drain a backlog with `processes` scoring processes and the other `verbs`.

    Measures from the first prediction on, and leaves out the events that were predicted before."""
    events = sum(record.partition is None for record in backlog)
    system.publisher.all(backlog)
    with system.reader() as reader:
        began = time.perf_counter()
        with system.workers(*verbs, processes=processes) as workers:
            reader.wait_for(1)
            first, cpu = time.perf_counter() - began, workers.cpu_s("scoring")
            start, left = reader.last, events - reader.count / TARGETS
            reader.wait_for(TARGETS * events)
            cpu = workers.cpu_s("scoring") - cpu
            figures.add(f"{label}: drain", "events/s", left / max(reader.last - start, 0.001))
            figures.add(f"{label}: CPU of scoring", "µs/event", 1e6 * cpu / max(left, 1))
            figures.add(f"{label}: start to first prediction", "s", first)


def alone(system: BenchSystem, backlog: list[EncodedRecord], figures: Figures) -> None:
    """Drain the backlog stage by stage: each stage reads what the one before has written, and no other stage runs."""
    system.publisher.all(backlog)
    for name in names():
        with system.workers(name) as workers:
            done = workers.drained(name, WATCH_S)
        if done.records and done.seconds:
            figures.add(f"{name} alone: drain", "records/s", done.records / done.seconds)
            figures.add(f"{name} alone: CPU", "µs/record", 1e6 * done.cpu_s / done.records)
