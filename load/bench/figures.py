"""The figures of several runs: minimum, median and maximum, as a table and as JSON."""

import json
import os
import platform
import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

LIBRARIES = ("tidecast", "river", "faust-streaming", "aiokafka", "confluent-kafka", "fastavro", "redis", "msgpack")


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure over all runs."""

    name: str
    unit: str
    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """The median of all runs."""
        return statistics.median(self.values)

    def line(self, width: int) -> str:
        """Return a line of the table: the name in `width` columns, minimum, median, maximum, unit."""
        numbers = [f"{value:>12,.5g}" for value in (min(self.values), self.median, max(self.values))]
        return f"{self.name:{width}}{''.join(numbers)}  {self.unit}"

    def to_json(self) -> dict[str, Any]:
        """Return the figure as a JSON object."""
        middle = {"min": min(self.values), "median": self.median, "max": max(self.values)}
        return {"name": self.name, "unit": self.unit, **middle, "runs": list(self.values)}


@dataclass(slots=True)
class Figures:
    """Gathers figures by name. Adding a name again adds a run."""

    _values: dict[tuple[str, str], list[float]] = field(default_factory=dict)
    environment: dict[str, Any] = field(default_factory=lambda: environment())
    extras: dict[str, Any] = field(default_factory=dict)
    """What belongs to the figures but is not a number, such as histograms."""

    def add(self, name: str, unit: str, value: float) -> None:
        """Add the value of one run."""
        self._values.setdefault((name, unit), []).append(round(value, 4))

    def all(self) -> list[Figure]:
        """Return all figures in the order in which they were added."""
        return [Figure(name, unit, tuple(values)) for (name, unit), values in self._values.items()]

    def table(self) -> Iterable[str]:
        """Yield the table for people, line by line."""
        spreads = self.all()
        width = max((len(spread.name) for spread in spreads), default=0)
        yield f"{'':{width}}{'min':>12}{'median':>12}{'max':>12}"
        for spread in spreads:
            yield spread.line(width)

    def json(self, options: Mapping[str, Any]) -> str:
        """Return figures, environment and options as JSON."""
        report = {
            "environment": self.environment,
            "options": dict(options),
            "figures": [figure.to_json() for figure in self.all()],
            **self.extras,
        }
        return json.dumps(report, indent=1)


def environment() -> dict[str, Any]:
    """Return what the figures depend on: machine, Python, versions of packages."""
    return {
        "machine": platform.machine(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "system": platform.platform(),
        "python": platform.python_version(),
        "load_before": round(os.getloadavg()[0], 2),
        "packages": {name: _version(name) for name in LIBRARIES},
    }


def _processor() -> str:
    """Return the name of the processor, as Linux reports it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
