"""Comparing what judging and monitoring keep per partition."""

from collections.abc import Iterable

from agents.verifying.finding import Finding
from streams.log import TopicPartition
from streams.state.store import StageStore


def compare_blobs(
    finding: Finding, stage: str, ours: StageStore, theirs: StageStore, places: Iterable[TopicPartition]
) -> Finding:
    """Position and state of a stage in these partitions, into the finding."""
    for topic, partition in places:
        finding.compared += 1
        live, calm = (store.read(stage, topic, partition) for store in (ours, theirs))
        if live != calm:
            at = [str(kept[0]) if kept else "the beginning" for kept in (live, calm)]
            finding.differs(f"{stage} of {topic}[{partition}]: state at {at[0]}, a calm replay's at {at[1]}, differs")
    return finding
