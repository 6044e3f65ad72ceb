"""Figures of several runs: least, median and greatest, as a table and as JSON."""

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
    """One figure over all runs; `unit` is written behind it."""

    name: str
    unit: str
    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle run."""
        return statistics.median(self.values)

    def line(self, width: int) -> str:
        """As a line of the table, the name that wide: least, median, greatest."""
        numbers = [f"{value:>12,.5g}" for value in (min(self.values), self.median, max(self.values))]
        return f"{self.name:{width}}{''.join(numbers)}  {self.unit}"

    def to_json(self) -> dict[str, Any]:
        """For JSON."""
        middle = {"min": min(self.values), "median": self.median, "max": max(self.values)}
        return {"name": self.name, "unit": self.unit, **middle, "runs": list(self.values)}


@dataclass(slots=True)
class Figures:
    """Gathers figures by name; the same name again is another run."""

    _values: dict[tuple[str, str], list[float]] = field(default_factory=dict)
    environment: dict[str, Any] = field(default_factory=lambda: environment())
    extras: dict[str, Any] = field(default_factory=dict)
    """What belongs to the figures and is no number, such as histograms."""

    def add(self, name: str, unit: str, value: float) -> None:
        """One run's value."""
        self._values.setdefault((name, unit), []).append(round(value, 4))

    def all(self) -> list[Figure]:
        """All figures, in the order in which they came."""
        return [Figure(name, unit, tuple(values)) for (name, unit), values in self._values.items()]

    def table(self) -> Iterable[str]:
        """Lines for people."""
        spreads = self.all()
        width = max((len(spread.name) for spread in spreads), default=0)
        yield f"{'':{width}}{'min':>12}{'median':>12}{'max':>12}"
        for spread in spreads:
            yield spread.line(width)

    def json(self, options: Mapping[str, Any]) -> str:
        """All of it, with what it depends on."""
        told = {
            "environment": self.environment,
            "options": dict(options),
            "figures": [figure.to_json() for figure in self.all()],
            **self.extras,
        }
        return json.dumps(told, indent=1)


def environment() -> dict[str, Any]:
    """What the figures depend on."""
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
    """Its name, as Linux tells it."""
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
