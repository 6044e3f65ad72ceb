"""Every statistic that monitoring tests windows with, one line each: docs/contributing/add-a-detector.md.

The false-alarm budget of a window is shared by all of them. Profiles have columns for PSI and KS; the value of any
other statistic stands in its alerts."""

from streams.drift.ks import Ks
from streams.drift.psi import Psi
from streams.drift.statistic import Statistic

STATISTICS: dict[str, type[Statistic]] = {each.name: each for each in (Psi, Ks)}
"""Name → statistic, in the order of their findings."""
