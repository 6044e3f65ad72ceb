"""The monitoring stage: predictions and its own feature-profiles in; feature-profiles and drift-alerts out."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, cast

import msgpack

from schemas.records import (
    FEATURE_PROFILE,
    PREDICTION,
    PROGRESS,
    CoordinateRecord,
    DriftAlertRecord,
    FeatureProfileRecord,
    PredictionRecord,
    ProgressRecord,
)
from schemas.topics import DRIFT_ALERTS, FEATURE_PROFILES, PREDICTIONS
from streams.avro.codec import Codec
from streams.deployment import Deployment
from streams.deployment_gate import DeploymentGate
from streams.errors import Undecodable
from streams.features.window import duration_ms
from streams.identity import Coordinate, Position
from streams.log import Batch, LogRecord, Output, Stage, TopicPartition
from streams.monitoring.layout import ProfileLayout
from streams.monitoring.merger import Merger, profile_record
from streams.monitoring.partial import PartialProfiles
from streams.state.store import StageStore
from streams.usecases.declaration import UseCase

STAGE = "monitoring"
MERGED_KEY = b"merged"


@dataclass(slots=True)
class MonitoringSlice:
    """See Slice. Each partition's position and state are written together."""

    outputs: Sequence[Output]
    positions: Mapping[TopicPartition, int]
    changed: Sequence["_Source"]

    rejects: ClassVar[None] = None
    answered: ClassVar[None] = None

    def commit(self) -> None:
        """See Slice.commit."""
        for source in self.changed:
            source.commit()


class Monitoring(Stage):
    """The stage on predictions (partial profiles per source partition) and on feature-profiles (the merger).

    Foreign records and predictions of former definitions are skipped and counted. Those of later definitions raise
    DeploymentMismatch. After a change of definitions the profiles and the reference start again."""

    topics: Sequence[str] = (PREDICTIONS, FEATURE_PROFILES)
    batch_interval: float = 0.1  # a batch for every few predictions took two thirds of a core at 1,000 events/s

    def __init__(self, use_case: UseCase, deployment: Deployment, store: StageStore, codec: Codec) -> None:
        self._use_case = use_case
        self._deployment = deployment
        self._gate = DeploymentGate(deployment)
        self._store = store
        self._codec = codec
        self._layout = ProfileLayout.of(use_case)
        self._width = duration_ms(use_case.profile_window)
        self._sources: dict[TopicPartition, _Source] = {}

    @property
    def late(self) -> int:
        """Number of predictions and partial profiles of closed windows; scoring makes none."""
        return sum(source.profiles.late for source in self._sources.values())

    @property
    def skipped(self) -> int:
        """Number of foreign records."""
        return sum(source.profiles.skipped for source in self._sources.values())

    def wants(self, partition: TopicPartition) -> bool:
        """See Stage.wants: the deployed partitions of predictions, and the one of feature-profiles."""
        return partition.topic in self.topics and self._deployment.owns(*partition)

    def assign(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        """See Stage.assign."""
        self._sources = {tp: self._load(tp) for tp in partitions if self.wants(tp)}
        return {tp: source.position.offset for tp, source in self._sources.items()}

    def intact(self) -> bool:
        """See Stage.intact."""
        return all(source.intact() for source in self._sources.values())

    def _load(self, tp: TopicPartition) -> "_Source":
        profiles: PartialProfiles | Merger
        if tp.topic == PREDICTIONS:
            profiles = PartialProfiles(self._layout, self._width)
        else:
            profiles = Merger(
                self._layout,
                self._width,
                self._deployment.partitions,
                self._use_case.warm_up_windows,
                self._use_case.reference_windows,
                self._use_case.false_alarms,
            )
        return _Source(tp, self._store, self._deployment.deployment_id, profiles)

    def process(self, batch: Batch) -> Iterator[MonitoringSlice]:
        """See Stage.process. There is one slice per batch."""
        outputs: list[Output] = []
        changed = []
        for tp, records in batch.items():
            source = self._sources[tp]
            fresh = [record for record in records if record.offset >= source.position.offset]
            for raw in fresh:
                outputs += self._record(source, raw)
                source.position = Position(raw.offset + 1)
            if fresh:
                changed.append(source)
        if changed:
            yield MonitoringSlice(outputs, {s.place: s.position.offset for s in changed}, changed)

    def _record(self, source: "_Source", raw: LogRecord) -> list[Output]:
        profiles = source.profiles
        try:
            name, record = self._codec.decode(raw.value)
        except Undecodable:
            profiles.skipped += 1
            return []
        coordinates = self._coordinates(source.place, raw.offset)
        if isinstance(profiles, Merger):
            if name == FEATURE_PROFILE:
                found = profiles.take(record, lambda: next(coordinates))
                return [self._merged(kind, made) for kind, made in found]
        elif name == PREDICTION:
            self._prediction(profiles, source.place, raw.offset, record)
            return []
        elif name == PROGRESS:
            return list(self._progress(profiles, source.place.partition, record, coordinates))
        profiles.skipped += 1
        return []

    def _prediction(
        self, profiles: PartialProfiles, place: TopicPartition, offset: int, record: PredictionRecord
    ) -> None:
        if not profiles.advance(record["source"]):
            return
        theirs = record["deployment_id"]
        if theirs == self._gate.ours:
            profiles.predicted(record)
        elif self._gate.passes(theirs):
            profiles.skipped += 1
        else:
            raise self._gate.mismatch(theirs, place, offset)

    def _progress(
        self,
        profiles: PartialProfiles,
        partition: int,
        record: ProgressRecord,
        coordinates: Iterator[CoordinateRecord],
    ) -> Iterator[Output]:
        """Emit the profiles of the windows that a source partition's progress closes."""
        if not profiles.advance(record["source"]):
            return
        for closed in profiles.progressed(record["watermark"]):
            span = (closed.number * self._width, (closed.number + 1) * self._width)
            made = profile_record(self._layout, span, partition, closed.watermark, closed.histograms, next(coordinates))
            value = self._codec.encode(FEATURE_PROFILE, made)
            yield Output(FEATURE_PROFILES, 0, str(partition).encode(), value, made["source"])

    def _merged(self, name: str, record: FeatureProfileRecord | DriftAlertRecord) -> Output:
        """Return a record of the merger as an output."""
        value = self._codec.encode(name, record)
        if name == FEATURE_PROFILE:
            return Output(FEATURE_PROFILES, 0, MERGED_KEY, value, record["source"])
        alert = cast(DriftAlertRecord, record)
        return Output(DRIFT_ALERTS, 0, alert["alert_id"].encode(), value, alert["source"])

    def _coordinates(self, place: TopicPartition, offset: int) -> Iterator[CoordinateRecord]:
        """Yield coordinates, as records, of one record's outputs."""
        ordinal = 0
        while True:
            yield Coordinate(place.topic, self._deployment.epoch, place.partition, offset, ordinal).as_record()
            ordinal += 1


class _Source:
    """A source partition: its position and state, stored and present."""

    def __init__(
        self, place: TopicPartition, store: StageStore, deployment_id: str, profiles: PartialProfiles | Merger
    ) -> None:
        self.place = place
        self.profiles = profiles
        self._store = store
        self._deployment_id = deployment_id
        found = store.read(STAGE, *place)
        self._committed = None if found is None else found[0]
        self.position = self._committed or Position(0)
        if found is not None:
            written_by, packed = msgpack.unpackb(found[1])
            profiles.unpack(packed, written_by == deployment_id)

    def intact(self) -> bool:
        """Return whether the stored position is the committed one."""
        return self._store.position(STAGE, *self.place) == self._committed

    def commit(self) -> None:
        """Write position and state unless another owner has written meanwhile."""
        blob = bytes(msgpack.packb([self._deployment_id, self.profiles.pack()]))
        self._store.commit(STAGE, *self.place, self._committed, self.position, blob)
        self._committed = self.position
