"""Finds times at which nothing happens although much happens before and after: a wrong date, or missing rows."""

from dataclasses import dataclass
from typing import Any

DAY_MS = 86_400_000
LEAST = 7 * DAY_MS
"""A shorter gap is never told."""
FACTOR = 10
"""A gap is told when it is so many times as long as nearly all others."""
NEARLY_ALL = 0.99
FEW = 0.01
"""At most this share of the records (or one) on one side of a gap are far from all others."""


@dataclass(frozen=True, slots=True)
class Gap:
    """A gap between two times, ms. before, after: records on its sides."""

    start: int
    end: int
    before: int
    after: int

    @property
    def is_far(self) -> bool:
        """Whether those on one side are so few that they are probably wrong."""
        return min(self.before, self.after) <= max(1, FEW * (self.before + self.after))

    @property
    def far(self) -> tuple[int, int]:
        """The number of the few, and the time of the one next to the gap."""
        return (self.before, self.start) if self.before < self.after else (self.after, self.end)


def gaps_in(times: Any, clock: int | None = None) -> list[Gap]:
    """Return the suspicious gaps of sorted times (an array, ms), the longest first.

    clock: where the log's clock stands; the time from there to the first record is a gap as well."""
    import numpy

    if len(times) < 3:
        return []
    lengths = numpy.diff(times)
    usual = numpy.quantile(numpy.delete(lengths, lengths.argmax()), NEARLY_ALL)
    least = max(LEAST, FACTOR * float(usual))
    found = [
        Gap(int(times[at]), int(times[at + 1]), int(at) + 1, len(times) - int(at) - 1)
        for at in (lengths >= least).nonzero()[0]
    ]
    if clock is not None and int(times[0]) - clock >= least:
        found.append(Gap(clock, int(times[0]), 0, len(times)))
    return sorted(found, key=lambda gap: gap.start - gap.end)
