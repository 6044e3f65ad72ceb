"""Is there a partition of labelled-examples for every target?"""

from collections.abc import Iterator

from agents.preflight.finding import PreflightFinding, Severity
from agents.preflight.situation import Situation
from schemas.topics import MOST_TARGETS


def room(situation: Situation) -> Iterator[PreflightFinding]:
    """A target keeps its partition for ever, also one that is no longer declared."""
    names = situation.deployment.target_partitions
    if len(names) > MOST_TARGETS:
        declared = {target.name for target in situation.use_case.targets}
        gone = sorted(set(names) - declared)
        former = f", {len(gone)} of them former ones ({', '.join(gone)})" if gone else ""
        text = (
            f"There would be {len(names)} targets in this log{former}, and there is room for {MOST_TARGETS}: declare "
            "fewer, or start a new log with another TIDECAST_TOPIC_PREFIX."
        )
        yield PreflightFinding("room for targets", Severity.STOPS, text)
