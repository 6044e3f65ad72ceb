"""Verify: replays the recorded logs of the stages into empty stores, and compares them with the live ones."""

from collections.abc import Callable, Collection, Iterator
from itertools import islice

from agents.stages import STAGES, StageRow, Store
from agents.verifying.check import Check
from agents.verifying.finding import Finding
from agents.verifying.history import HistoryCheck
from agents.verifying.learning import LearningCheck
from agents.verifying.live import Live, connect
from agents.verifying.partitions import PartitionsCheck
from agents.verifying.scoring import ScoringCheck
from schemas.topics import DEPLOYMENTS, TOPICS

__all__ = ["CHECKS", "Finding", "Live", "connect", "verify"]

BATCH = 2000
CHECKS: dict[Store, Callable[[Live, StageRow], Check]] = {
    Store.CUSTOMERS: ScoringCheck,
    Store.SNAPSHOTS: LearningCheck,
    Store.PARTITIONS: PartitionsCheck,
    Store.TABLES: HistoryCheck,
}
"""The check of a stage, by where it keeps its state."""


def verify(live: Live, stages: Collection[str], tell: Callable[[str], None]) -> Iterator[Finding]:
    """Return the findings of these stages. Each log is read once for all of them; `tell` is called with its name."""
    checks = [CHECKS[row.store](live, row) for row in STAGES.values() if row.name in stages]
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
