"""The judging stage: labelled-examples in; prequential metrics and alerts on the loss out.

It needs no model: each example carries every arm's answer at the time of the question. So all arms are judged on the
same matured questions, with the true delay of their labels."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count
from math import isfinite, nan
from typing import ClassVar

from schemas.records import (
    DEPLOYMENT,
    DRIFT_ALERT,
    LABELLED_EXAMPLE,
    MODEL_METRIC,
    PROGRESS,
    DriftAlertRecord,
    LabelledExampleRecord,
    ModelMetricRecord,
    ProgressRecord,
)
from schemas.topics import DRIFT_ALERTS, LABELLED_EXAMPLES, MODEL_METRICS
from streams.avro.codec import Codec
from streams.control import check
from streams.deployment import Deployment
from streams.deployment_gate import DeploymentGate
from streams.drift.loss import AlertTransition, LossMonitor
from streams.errors import DeploymentMismatch, Undecodable
from streams.identity import Coordinate, Position
from streams.judging.cohorts import Cohort
from streams.judging.records import label_alert, loss_alert, metric_record
from streams.judging.state import ArmMetricsState, TargetMetricsState, new_state
from streams.keys import Keys
from streams.log import Batch, LogRecord, Output, Stage, TopicPartition
from streams.models.arms import Arm
from streams.state.store import StageStore
from streams.targets.observations import CORRECTION
from streams.usecases.declaration import UseCase

STAGE = "judging"
EVERY = 100
"""Examples of a target between two sets of metrics."""

UNTRAINED = "@-1"
"""How the name of an untrained version ends."""

SLICE = 2000
"""The maximum number of records of a slice."""


@dataclass(slots=True)
class JudgingSlice:
    """See Slice. It covers one partition."""

    outputs: Sequence[Output]
    positions: Mapping[TopicPartition, int]
    judging: "Judging"
    partition: int
    position: Position
    blob: bytes

    rejects: ClassVar[None] = None
    answered: ClassVar[None] = None

    def commit(self) -> None:
        """Write state and position together."""
        self.judging.commit(self.partition, self.position, self.blob)


class Judging(Stage):
    """The stage on the partitions of labelled-examples that hold a target's examples.

    A record that is not an example of its partition's target is skipped and counted. Examples of former definitions
    are judged. Later definitions raise DeploymentMismatch, after the records before them are committed."""

    topics: Sequence[str] = (LABELLED_EXAMPLES,)
    batch_interval: float = 0.1  # as in learning

    def __init__(self, use_case: UseCase, deployment: Deployment, store: StageStore, codec: Codec, keys: Keys) -> None:
        """`keys`: check the signatures of deployment records."""
        self._use_case = use_case
        self._deployment = deployment
        self._gate = DeploymentGate(deployment, keys)
        self._store = store
        self._codec = codec
        self._keys = keys
        self._targets = {deployment.target_partitions[target.name]: target for target in use_case.targets}
        self._judged: dict[int, TargetMetricsState] = {}
        self._committed: dict[int, Position | None] = {}

    def wants(self, partition: TopicPartition) -> bool:
        """See Stage.wants: partitions of our targets."""
        return partition.topic == LABELLED_EXAMPLES and partition.partition in self._targets

    def assign(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        """See Stage.assign."""
        self._judged.clear()
        self._committed.clear()
        wanted = [partition for partition in partitions if self.wants(partition)]
        for _, number in wanted:
            stored = self._store.read(STAGE, LABELLED_EXAMPLES, number)
            self._judged[number] = new_state(self._targets[number], self._use_case, self._deployment.partitions)
            if stored is not None:
                self._judged[number].unpack(stored[1])
            self._committed[number] = None if stored is None else stored[0]
        return {partition: self._next(partition.partition) for partition in wanted}

    def _next(self, partition: int) -> int:
        committed = self._committed[partition]
        return 0 if committed is None else committed.offset

    def intact(self) -> bool:
        """See Stage.intact."""
        return all(
            self._store.position(STAGE, LABELLED_EXAMPLES, partition) == position
            for partition, position in self._committed.items()
        )

    def process(self, batch: Batch) -> Iterator[JudgingSlice]:
        """See Stage.process. Each slice covers one partition."""
        for (_, partition), records in batch.items():
            if partition not in self._judged:
                continue
            for start in range(0, len(records), SLICE):
                yield from self._slice(partition, records[start : start + SLICE])

    def commit(self, partition: int, position: Position, blob: bytes) -> None:
        """Write a slice by compare-and-set on the previous position."""
        self._store.commit(STAGE, LABELLED_EXAMPLES, partition, self._committed[partition], position, blob)
        self._committed[partition] = position

    def _slice(self, partition: int, records: Sequence[LogRecord]) -> Iterator[JudgingSlice]:
        """Return the slice of these records. It ends where the definitions change, and the error follows."""
        judged, outputs = self._judged[partition], list[Output]()
        start = end = self._next(partition)
        mismatch: DeploymentMismatch | None = None
        for record in records:
            if record.offset < end:
                continue
            try:
                outputs += self._record(judged, partition, record)
            except DeploymentMismatch as error:
                mismatch = error
                break
            end = record.offset + 1
        if end > start:
            positions = {TopicPartition(LABELLED_EXAMPLES, partition): end}
            yield JudgingSlice(outputs, positions, self, partition, Position(end), judged.pack())
        if mismatch is not None:
            raise mismatch

    # -- records

    def _record(self, judged: TargetMetricsState, partition: int, raw: LogRecord) -> list[Output]:
        try:
            name, record = self._codec.decode(raw.value)
        except Undecodable:
            name, record = "", {}
        if name == LABELLED_EXAMPLE:
            return self._example(judged, partition, raw.offset, record)
        if name == PROGRESS:
            return list(self._progress(judged, partition, raw.offset, record))
        if name == DEPLOYMENT and check(name, record, self._keys, LABELLED_EXAMPLES, partition):
            place = TopicPartition(LABELLED_EXAMPLES, partition)
            judged.skipped += not self._gate.obey(judged, record, place, raw.offset)
        else:
            judged.skipped += 1
        return []

    def _progress(
        self, judged: TargetMetricsState, partition: int, offset: int, record: ProgressRecord
    ) -> Iterator[Output]:
        """Note how far a source partition has come; return the outputs of the cohorts that this closes."""
        if not judged.advance(record["source"]):
            return
        source, name = record["source"]["partition"], judged.target.name
        judged.opened[source] = record["opened"].get(name, 0)
        judged.settled[source] = record["settled"].get(name, 0)
        places = self._places(partition, offset)
        for start, cohort in judged.cohorts.passed(source, record["watermark"]):
            yield from self._cohort(judged, start, cohort, places)

    def _example(
        self, judged: TargetMetricsState, partition: int, offset: int, example: LabelledExampleRecord
    ) -> list[Output]:
        label = example["label"]
        if example["target"] != judged.target.name or not isfinite(label):
            judged.skipped += 1
            return []
        if judged.deployment_id != self._gate.ours:
            self._gate.check(judged, TopicPartition(LABELLED_EXAMPLES, partition), offset)
        if not judged.advance(example["source"]):
            return []
        if example["settled_by"] == CORRECTION:
            return []  # the question is judged already, with its true delay
        given = {answer["arm"]: answer["value"] for answer in example["answers"]}
        answers = [given.get(judged_arm.arm.name, nan) for judged_arm in judged.arms]
        if not all(map(isfinite, answers)):
            # asked before an arm was declared: arms are compared on the same questions only
            judged.incomplete += 1
            return []
        trained = all(not answer["version"].endswith(UNTRAINED) for answer in example["answers"])
        judged.cohorts.add(example["asked_at"], example["outcome_at"], answers, trained, label)
        return self._judge(judged, partition, offset, answers, label, example["outcome_at"])

    def _judge(
        self,
        judged: TargetMetricsState,
        partition: int,
        offset: int,
        answers: Sequence[float],
        label: float,
        moment: int,
    ) -> list[Output]:
        judged.examples += 1
        judged.labels.append(label)
        judged.times.append(moment)
        judged.until = max(judged.until, moment)
        outputs: list[Output] = []
        places = self._places(partition, offset)
        for arm, answer in zip(judged.arms, answers, strict=True):
            arm.totals.add(answer, label)
            arm.answers.append(answer)
            for watch in arm.watches:
                step = watch.update(answer, label, partial(judged.standing, arm))
                if step is not None:
                    outputs.append(self._loss_alert(judged, arm.arm, watch, step, next(places)))
        if judged.examples % EVERY == 0:
            for arm in judged.arms:
                outputs += self._metrics(judged, arm, places)
        return outputs

    # -- outputs

    def _metrics(self, judged: TargetMetricsState, arm: ArmMetricsState, places: Iterator[Coordinate]) -> list[Output]:
        """Return one metrics record per span."""
        return [
            self._metric(metric_record(judged, arm.arm, span, number, values, (None, judged.until), next(places)))
            for span, number, values in (
                ("total", arm.totals.count, arm.values()),
                ("recent", len(arm.answers), arm.recent(judged.labels)),
            )
        ]

    def _cohort(
        self, judged: TargetMetricsState, start: int, cohort: Cohort, places: Iterator[Coordinate]
    ) -> Iterator[Output]:
        """Return the metrics of a closed cohort, and the alerts that its labels open or close."""
        span = (start, start + judged.cohorts.width)
        for number, arm in enumerate(judged.arms):
            values = arm.ranked(cohort.values(number))
            count = cohort.totals[number].count
            yield self._metric(metric_record(judged, arm.arm, "cohort", count, values, span, next(places)))
        for finding, closed, reference in judged.label_watch.take(cohort.labels):
            source = next(places)
            alert = closed or judged.label_watch.opened(finding, f"{source.topic}.{source.id}")
            compared = (reference, cohort.labels)
            yield self._alert(
                label_alert(judged.target.name, closed is None, alert, finding, compared, span, source), source
            )

    def _loss_alert(
        self, judged: TargetMetricsState, arm: Arm, watch: LossMonitor, step: AlertTransition, source: Coordinate
    ) -> Output:
        alert_id = f"{source.topic}.{source.id}" if step.opens else watch.alert_id
        watch.alert_id = alert_id if step.opens else ""
        return self._alert(loss_alert(judged, arm, watch.statistic, step, alert_id, source), source)

    def _metric(self, record: ModelMetricRecord) -> Output:
        value = self._codec.encode(MODEL_METRIC, record)
        return Output(MODEL_METRICS, 0, record["target"].encode(), value, record["source"])

    def _alert(self, record: DriftAlertRecord, source: Coordinate) -> Output:
        value = self._codec.encode(DRIFT_ALERT, record)
        return Output(DRIFT_ALERTS, 0, record["alert_id"].encode(), value, source.as_record())

    def _places(self, partition: int, offset: int) -> Iterator[Coordinate]:
        """Yield the coordinates of one record's outputs."""
        epoch = self._deployment.epoch
        return (Coordinate(LABELLED_EXAMPLES, epoch, partition, offset, ordinal) for ordinal in count())
