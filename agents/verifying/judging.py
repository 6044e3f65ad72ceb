"""Verifies judging by replay: metrics and detectors per target, and their outputs."""

from collections.abc import Iterator, Sequence

from agents.verifying.blobs import compare_blobs
from agents.verifying.finding import Finding
from agents.verifying.live import Live
from agents.verifying.outputs import Outputs
from schemas.topics import DRIFT_ALERTS, LABELLED_EXAMPLES, MODEL_METRICS
from streams.judging.stage import Judging
from streams.log import Record, TopicPartition
from streams.state.memory import MemoryStageStore


class JudgingCheck:
    """Checks metrics, detectors and alerts on the loss."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._empty = MemoryStageStore()
        self._stage = Judging(live.use_case, live.deployment, self._empty, live.codec, live.signing_key)
        self._places = [
            TopicPartition(LABELLED_EXAMPLES, p) for p in sorted(set(live.deployment.target_partitions.values()))
        ]
        self._stage.assign(self._places)
        self._outputs = Outputs(live.codec, [LABELLED_EXAMPLES])

    def wants(self, place: TopicPartition) -> bool:
        """See Check: examples, metrics and alerts."""
        return place in self._places or place.topic in (MODEL_METRICS, DRIFT_ALERTS)

    def feed(self, place: TopicPartition, records: Sequence[Record]) -> None:
        """See Check."""
        if place.topic != LABELLED_EXAMPLES:
            self._outputs.read(place, records)
            return
        for slice_ in self._stage.process({place: records}):
            self._outputs.expect(place, slice_.outputs)
            slice_.commit()

    def end(self, place: TopicPartition) -> None:
        """See Check."""

    def findings(self) -> Iterator[Finding]:
        """See Check."""
        state = Finding("judging/state", "metrics and detectors")
        yield compare_blobs(state, "judging", self._live.stages, self._empty, self._places)
        yield self._outputs.finding("judging/outputs", "model metrics and loss alerts by id")
