"""Compares the state that judging and monitoring keep per partition."""

from collections.abc import Iterable

from agents.verifying.finding import Finding
from streams.log import TopicPartition
from streams.state.store import StageStore


def compare_blobs(
    finding: Finding, stage: str, ours: StageStore, theirs: StageStore, places: Iterable[TopicPartition]
) -> Finding:
    """Compare a stage's positions and states in these partitions, and add the differences to the finding."""
    for topic, partition in places:
        finding.compared += 1
        live, calm = (store.read(stage, topic, partition) for store in (ours, theirs))
        if live != calm:
            at = [str(kept[0]) if kept else "the beginning" for kept in (live, calm)]
            where = f"{stage} of {topic}[{partition}]"
            if calm is not None and (live is None or live[0] < calm[0]):
                finding.lags(f"{where} stands at {at[0]}, records up to {at[1]} are left")
            else:
                finding.differs(f"{where}: state at {at[0]}, the replay's at {at[1]}, differs")
    return finding
