"""Verify: replays the recorded logs of the stages into empty stores, and compares them with the live ones."""

from collections.abc import Callable, Collection, Iterator
from itertools import islice

from agents.verifying.check import Check
from agents.verifying.finding import Finding
from agents.verifying.history import HistoryCheck
from agents.verifying.judging import JudgingCheck
from agents.verifying.learning import LearningCheck
from agents.verifying.live import Live, connect
from agents.verifying.monitoring import MonitoringCheck
from agents.verifying.scoring import ScoringCheck
from schemas.topics import DEPLOYMENTS, TOPICS

__all__ = ["CHECKS", "Finding", "Live", "connect", "verify"]

BATCH = 2000
CHECKS: dict[str, Callable[[Live], Check]] = {
    "scoring": ScoringCheck,
    "learning": LearningCheck,
    "judging": JudgingCheck,
    "monitoring": MonitoringCheck,
    "history": HistoryCheck,
}
"""Stage → its check."""


def verify(live: Live, stages: Collection[str], tell: Callable[[str], None]) -> Iterator[Finding]:
    """Return the findings of these stages. Each log is read once for all of them; `tell` is called with its name."""
    checks = [make(live) for name, make in CHECKS.items() if name in stages]
    for topic in TOPICS:
        for place in live.places(topic) if topic != DEPLOYMENTS else ():
            wanting = [check for check in checks if check.wants(place)]
            if not wanting:
                continue
            tell(f"{topic}[{place.partition}]")
            records = live.reader.read(place)
            while batch := list(islice(records, BATCH)):
                live.codec.forget()
                for check in wanting:
                    check.feed(place, batch)
            for check in wanting:
                check.end(place)
    for check in checks:
        yield from check.findings()
