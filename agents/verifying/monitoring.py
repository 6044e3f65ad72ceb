"""Verifies monitoring by replay: profiles per partition, merged profiles, and input-drift alerts."""

from collections.abc import Iterator, Sequence

from agents.verifying.blobs import compare_blobs
from agents.verifying.finding import Finding
from agents.verifying.live import Live
from agents.verifying.outputs import Outputs
from schemas.topics import DRIFT_ALERTS, FEATURE_PROFILES, PREDICTIONS
from streams.log import Record, TopicPartition
from streams.monitoring import Monitoring
from streams.state.memory import MemoryStageStore

READ = (PREDICTIONS, FEATURE_PROFILES)
WRITTEN = (FEATURE_PROFILES, DRIFT_ALERTS)


class MonitoringCheck:
    """Checks unfinished and finished profiles, and alerts on inputs and answers."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._empty = MemoryStageStore()
        self._stage = Monitoring(live.use_case, live.deployment, self._empty, live.codec)
        self._places = [place for topic in READ for place in live.places(topic)]
        self._stage.assign(self._places)
        self._outputs = Outputs(live.codec, READ)

    def wants(self, place: TopicPartition) -> bool:
        """See Check: predictions, profiles and alerts."""
        return place.topic in READ or place.topic in WRITTEN

    def feed(self, place: TopicPartition, records: Sequence[Record]) -> None:
        """See Check."""
        if place.topic in WRITTEN:
            self._outputs.read(place, records)
        if place.topic in READ:
            for slice_ in self._stage.process({place: records}):
                self._outputs.expect(place, slice_.outputs)
                slice_.commit()

    def end(self, place: TopicPartition) -> None:
        """See Check."""

    def findings(self) -> Iterator[Finding]:
        """See Check."""
        state = Finding("monitoring/state", "unfinished profiles")
        yield compare_blobs(state, "monitoring", self._live.stages, self._empty, self._places)
        yield self._outputs.finding("monitoring/outputs", "profiles and input alerts by id")
