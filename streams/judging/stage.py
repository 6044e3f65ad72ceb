"""The judging stage: labelled-examples in; prequential metrics and alerts on the loss out.

It needs no model: each example carries every arm's answer at the time of the question. So all arms are judged on the
same matured questions, with the true delay of their labels."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from math import isfinite
from typing import Any, ClassVar

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
from streams.drift.loss import COOLDOWN, AlertTransition, LossMonitor
from streams.errors import DeploymentMismatch, Undecodable
from streams.identity import Coordinate, Position
from streams.judging.state import ArmMetricsState, TargetMetricsState
from streams.keys import Keys
from streams.log import Batch, LogRecord, Output, Stage, TopicPartition
from streams.models.arms import Arm
from streams.state.store import StageStore
from streams.targets.observations import CORRECTION
from streams.usecases.declaration import UseCase

STAGE = "judging"
EVERY = 100
"""Examples of a target between two sets of metrics."""

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
            target = self._targets[number]
            self._judged[number] = (
                TargetMetricsState(target) if stored is None else TargetMetricsState.unpack(target, stored[1])
            )
            self._committed[number] = None if stored is None else stored[0]
        return {partition: self._next(partition.partition) for partition in wanted}

    def _next(self, partition: int) -> int:
        committed = self._committed[partition]
        return 0 if committed is None else committed.offset

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
            self._progress(judged, record)
        elif name == DEPLOYMENT and check(name, record, self._keys, LABELLED_EXAMPLES, partition):
            place = TopicPartition(LABELLED_EXAMPLES, partition)
            judged.skipped += not self._gate.obey(judged, record, place, raw.offset)
        else:
            judged.skipped += 1
        return []

    def _progress(self, judged: TargetMetricsState, record: ProgressRecord) -> None:
        if judged.advance(record["source"]):
            partition, name = record["source"]["partition"], judged.target.name
            judged.opened[partition] = record["opened"].get(name, 0)
            judged.settled[partition] = record["settled"].get(name, 0)

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
        answers = [given.get(judged_arm.arm.name) for judged_arm in judged.arms]
        if any(answer is None or not isfinite(answer) for answer in answers):
            # asked before an arm was declared: arms are compared on the same questions only
            judged.incomplete += 1
            return []
        return self._judge(judged, partition, offset, answers, label, example["outcome_at"])

    def _judge(
        self, judged: TargetMetricsState, partition: int, offset: int, answers: Sequence[Any], label: float, moment: int
    ) -> list[Output]:
        judged.examples += 1
        judged.labels.append(label)
        judged.times.append(moment)
        judged.until = max(judged.until, moment)
        outputs: list[Output] = []
        epoch = self._deployment.epoch
        places = (Coordinate(LABELLED_EXAMPLES, epoch, partition, offset, ordinal) for ordinal in count())
        for arm, answer in zip(judged.arms, answers, strict=True):
            arm.totals.add(answer, label)
            arm.answers.append(answer)
            for watch in arm.watches:
                step = watch.update(answer, label)
                if step is not None:
                    outputs.append(self._alert(judged, arm.arm, watch, step, next(places)))
        if judged.examples % EVERY == 0:
            for arm in judged.arms:
                outputs += self._metrics(judged, arm, places)
        return outputs

    # -- outputs

    def _metrics(self, judged: TargetMetricsState, arm: ArmMetricsState, places: Iterator[Coordinate]) -> list[Output]:
        """Return one metrics record per span."""
        recent = arm.totals.recent(arm.answers, judged.labels)
        outputs = []
        for span, number, values in (
            ("total", arm.totals.count, arm.totals.values()),
            ("recent", len(arm.answers), recent),
        ):
            source = next(places)
            record: ModelMetricRecord = {
                "metric_id": source.id,
                "target": judged.target.name,
                "arm": arm.arm.name,
                "role": arm.arm.role,
                "span": span,
                "count": number,
                "examples": judged.examples,
                "values": values,
                "matured": judged.matured,
                "until": judged.until,
                "source": source.as_record(),
            }
            value = self._codec.encode(MODEL_METRIC, record)
            outputs.append(Output(MODEL_METRICS, 0, judged.target.name.encode(), value, source.as_record()))
        return outputs

    def _alert(
        self, judged: TargetMetricsState, arm: Arm, watch: LossMonitor, step: AlertTransition, source: Coordinate
    ) -> Output:
        alert_id = f"{source.topic}.{source.id}" if step.opens else watch.alert_id
        watch.alert_id = alert_id if step.opens else ""
        times = list(judged.times)[-step.width :]
        record: DriftAlertRecord = {
            "alert_id": alert_id,
            "state": "open" if step.opens else "closed",
            "kind": "loss",
            "target": judged.target.name,
            "arm": arm.name,
            "feature": None,
            "statistic": watch.statistic,
            "value": step.value,
            "threshold": step.threshold,
            "severity": "critical" if arm.role == "champion" else "warning",
            "window_from": min(times),
            "window_to": max(times) + 1,
            "evidence": {**step.evidence, "matured": judged.matured},
            "message": _message(judged.target.name, arm.name, step),
            "source": source.as_record(),
        }
        value = self._codec.encode(DRIFT_ALERT, record)
        return Output(DRIFT_ALERTS, 0, alert_id.encode(), value, source.as_record())


def _message(target: str, arm: str, step: AlertTransition) -> str:
    """Return one sentence for a person."""
    before, after = step.evidence["mean_before"], step.evidence["mean_after"]
    errors = f"{arm}'s errors on {target}"
    if step.how == "rise":
        return f"{errors} rose about {step.width} examples ago: mean loss {before:.3f} before, {after:.3f} since."
    if step.how == "fall":
        return f"{errors} fell again: mean loss {after:.3f}, {before:.3f} before the alert."
    told = f"mean loss {after:.3f}, {before:.3f} before the alert"
    return f"{errors} have not risen further for {COOLDOWN} examples: {told}."
