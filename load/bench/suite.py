"""The parts of the benchmark under the names that the command line knows."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from load.baselines.measure import measure as measure_baseline
from load.baselines.worker import MODULES
from load.bench.figures import Figures
from load.bench.parts import kill_midway, many_customers, recovery, stored
from load.bench.parts.draining import alone, together
from load.bench.parts.latency import ladder
from load.bench.system import EXPLICIT_OUTCOMES, BenchSystem
from load.stages import names

SLOW_EVENTS = 20_000
"""Size of a backlog for a system that would take too long with a larger one."""


@dataclass(frozen=True, slots=True)
class BenchOptions:
    """The options that all parts share.

    events: size of a backlog. midway_events: the same for kill-midway. runs: of each measurement. rates: offered
    events/s. seconds: duration of each rate. customer_counts: for memory and recovery."""

    events: int
    midway_events: int
    runs: int
    partitions: int
    rates: tuple[int, ...]
    seconds: int
    customer_counts: tuple[int, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the options by name."""
        return asdict(self)


class BenchSuite:
    """Runs parts and gathers their figures."""

    def __init__(self, options: BenchOptions) -> None:
        self.options = options
        self.figures = Figures()

    def baselines(self) -> None:
        """Measure the same job in a bare loop, plain Faust and a confluent-kafka loop (load/baselines)."""
        for _ in range(self.options.runs):
            for kind in MODULES:
                events = min(self.options.events, SLOW_EVENTS) if kind == "faust" else self.options.events
                found = measure_baseline(kind, events)
                self.figures.add(f"baseline {kind}: drain", "events/s", found.drain_events_per_s)
                self.figures.add(f"baseline {kind}: CPU", "µs/event", found.cpu_us_per_event)

    def drain(self) -> None:
        """Measure a backlog through scoring and learning, and through all stages."""
        for _ in range(self.options.runs):
            for verbs, label in ((("scoring", "learning"), "scoring + learning"), (names(), "all stages")):
                system = self._system()
                together(system, system.job.backlog(self.options.events), self.figures, verbs, label)

    def stages(self) -> None:
        """Measure each stage alone."""
        for _ in range(self.options.runs):
            system = self._system()
            alone(system, system.job.backlog(self.options.events // 6), self.figures)

    def latency(self) -> None:
        """Measure the time from an event to its readable prediction, at increasing rates."""
        system, options = self._system(), self.options
        backlog = system.job.backlog(options.events // 8)
        ladder(system, backlog, options.rates, options.seconds, options.runs, self.figures)

    def stored(self) -> None:
        """Measure bytes per event in Kafka, Redis and ClickHouse."""
        for _ in range(self.options.runs):
            system = self._system()
            stored.measure(system, system.job.backlog(self.options.events // 12), self.figures)

    def memory(self) -> None:
        """Measure memory for increasing numbers of customers."""
        for customers in self.options.customer_counts:
            for _ in range(self.options.runs):
                found = many_customers.measure(self._system(), customers, customers)
                label = f"{customers:,} customers"
                self.figures.add(f"{label}: scoring's memory at most", "MiB", found.worker_peak_mib)
                self.figures.add(f"{label}: Redis", "bytes/customer", found.redis_bytes_per_customer)

    def recovery(self) -> None:
        """Kill the scorer (kill -9) with the fewest and with the most customers, and measure the recovery."""
        counts = self.options.customer_counts
        for customers in sorted({min(counts), max(counts)}):
            recovery.measure(self._system(), customers, self.options.runs, self.figures)

    def kill_midway(self) -> None:
        """Kill the scorer (kill -9) midway through a backlog, and check whether the end result shows it."""
        for _ in range(self.options.runs):
            system = BenchSystem(self.options.partitions, use_case=EXPLICIT_OUTCOMES)
            kill_midway.measure(system, self.options.midway_events, self.figures)

    def workers(self) -> None:
        """Compare one scoring process with two."""
        for _ in range(self.options.runs):
            for processes in (1, 2):
                system = self._system()
                backlog, label = system.job.backlog(self.options.events), f"{processes} scoring process(es)"
                together(system, backlog, self.figures, ("scoring",), label, processes)

    def _system(self) -> BenchSystem:
        return BenchSystem(self.options.partitions)


PARTS: dict[str, Callable[[BenchSuite], None]] = {
    "baselines": BenchSuite.baselines,
    "drain": BenchSuite.drain,
    "stages": BenchSuite.stages,
    "latency": BenchSuite.latency,
    "stored": BenchSuite.stored,
    "memory": BenchSuite.memory,
    "recovery": BenchSuite.recovery,
    "kill-midway": BenchSuite.kill_midway,
    "workers": BenchSuite.workers,
}
SHORT_PARTS = ("drain", "latency", "recovery", "kill-midway")
