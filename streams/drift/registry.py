"""Every drift statistic and loss detector, one line each: docs/contributing/add-a-detector.md.

Monitoring tests windows with every statistic. The false-alarm budget of a window is shared by all of them. Profiles
have columns for PSI and KS; the value of any other statistic stands in its alerts. Judging watches every arm except
baselines with every loss detector."""

from streams.drift.adwin import Adwin
from streams.drift.ks import Ks
from streams.drift.loss_detector import LossDetector
from streams.drift.psi import Psi
from streams.drift.statistic import Statistic

STATISTICS: dict[str, type[Statistic]] = {each.name: each for each in (Psi, Ks)}
"""Name → statistic, in the order of their findings."""
DETECTORS: dict[str, type[LossDetector]] = {each.name: each for each in (Adwin,)}
"""Name → loss detector, in the order of their alerts."""
