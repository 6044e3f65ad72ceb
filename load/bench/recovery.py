"""kill -9 of the scoring process under load: how long no prediction comes, and whether any is missing or twice."""

import threading
import time
from itertools import pairwise

from load.bench.figures import Figures
from load.bench.job import TARGETS
from load.bench.reading import Reader
from load.bench.system import System

RATE = 1000
PATIENCE_S = 60.0
BEFORE_S, AFTER_S = 4, 8
"""The kill comes after BEFORE_S of a steady stream, which goes on for AFTER_S."""


def measure(system: System, customers: int, runs: int, figures: Figures) -> None:
    """With so many customers in Redis, `runs` kills one after the other."""
    system.publisher.all(system.job.spread(customers, customers))
    with system.reader() as reader, system.workers("scoring", "learning") as workers:
        reader.wait_for(TARGETS * customers, patience_s=600)
        for run in range(runs):
            made = system.job.paced(RATE, BEFORE_S + AFTER_S, run * (BEFORE_S + AFTER_S))
            reader.read.clear()
            reader.keep = True
            stream = threading.Thread(target=system.publisher.paced, args=(made, RATE))
            stream.start()
            time.sleep(BEFORE_S)
            (process,) = workers.processes("scoring")
            killed = time.perf_counter()
            process.kill()
            stream.join()
            missing = _missing(reader, TARGETS * RATE * (BEFORE_S + AFTER_S))
            reader.keep = False
            _tell(figures, f"kill -9 with {customers:,} customers", reader, killed, missing)


def _missing(reader: Reader, expected: int) -> int:
    """How many different predictions have not come within a while."""
    end = time.monotonic() + PATIENCE_S
    while (missing := expected - len(reader.sources())) > 0 and time.monotonic() < end:
        time.sleep(0.5)
    return missing


def _tell(figures: Figures, label: str, reader: Reader, killed: float, missing: int) -> None:
    moments = [now for now, _ in reader.read]
    gaps = [(later - earlier, later) for earlier, later in pairwise(moments) if later > killed]
    silence, back = max(gaps, default=(0.0, killed))
    figures.add(f"{label}: until predictions come again", "s", back - killed)
    figures.add(f"{label}: longest silence", "s", silence)
    figures.add(f"{label}: sent twice", "predictions", len(moments) - len(reader.sources()))
    figures.add(f"{label}: missing", "predictions", missing)
