"""Watches the topics and servers beside a running worker: somebody may change them under it."""

import asyncio
import logging
from collections import Counter

from agents.preflight import CHECKS, Moment, PreflightFinding, Severity, Situation, ask
from agents.preflight.partitions import foreign_records
from agents.runtime.metrics import FINDINGS, FOREIGN_RECORDS
from agents.wiring import Wiring
from streams.errors import TidecastError

log = logging.getLogger(__name__)
EVERY_S = 10.0


class SystemWatch:
    """Makes the checks of a running system now and then: logs what is new, and keeps the metrics."""

    def __init__(self, wiring: Wiring) -> None:
        self._situation = Situation.of(wiring, Moment.RUNNING)
        self._known: dict[tuple[str, str, str], PreflightFinding] = {}

    async def run(self) -> None:
        """Run until cancelled."""
        while True:
            try:
                await asyncio.to_thread(self.look)
            except TidecastError as away:
                log.debug("the servers were not looked at: %s", away)
            await asyncio.sleep(EVERY_S)

    def look(self) -> None:
        """Make the checks once. Raises Unavailable when a server is away, which the stages tell by themselves."""
        situation = self._situation = self._situation.again()
        found = {finding.key: finding for finding in ask(situation)}
        for key in found.keys() - self._known.keys():
            log.warning(found[key].text)
        for key in self._known.keys() - found.keys():
            log.warning("No longer: %s", self._known[key].text)
        self._known = found
        counts = Counter((finding.check, finding.severity) for finding in found.values())
        for check in CHECKS:
            for severity in Severity:
                if Moment.RUNNING in check.moments:
                    FINDINGS.labels(check.name, severity.value).set(counts[check.name, severity])
        for topic, records in foreign_records(situation).items():
            FOREIGN_RECORDS.labels(topic).set(records)
