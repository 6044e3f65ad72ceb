"""The learning stage: one arm learns each example of a target once, in order.

A snapshot holds model, marks and position in one blob, at a path that the log determines, and is written before its
switch. A crash thus loses at most the examples since the last snapshot, which are in the log."""

import logging
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import ClassVar

from schemas.marks import HighWater, Mark
from schemas.records import (
    DEPLOYMENT,
    LABELLED_EXAMPLE,
    PROGRESS,
    DeploymentRecord,
    LabelledExampleRecord,
)
from schemas.topics import LABELLED_EXAMPLES
from streams.avro.codec import Codec
from streams.control import check
from streams.deployment import Deployment, is_replayed
from streams.deployment_gate import DeploymentGate
from streams.errors import LogGap, Undecodable
from streams.identity import Position
from streams.keys import Keys
from streams.learning.declared import serving_interval
from streams.learning.switches import switches
from streams.learning.versions import Versions, unfit
from streams.log import Batch, LogRecord, Output, Stage, TopicPartition
from streams.models.arms import Arm
from streams.models.factory import build_model
from streams.models.inputs import arm_inputs
from streams.models.snapshot import LIMIT, BadSnapshot, Snapshot
from streams.models.store import ModelStore
from streams.models.version import Version
from streams.targets.declaration import Target
from streams.usecases.declaration import UseCase

LINEAGE = 1
PROBES = 8
"""Latest vectors to which a candidate must give finite answers, besides all zeros and all unknown."""

log = logging.getLogger(__name__)


@dataclass(slots=True)
class LearningSlice:
    """See Slice. Its state was written before, as a snapshot."""

    outputs: Sequence[Output]
    positions: Mapping[TopicPartition, int]

    rejects: ClassVar[None] = None
    answered: ClassVar[None] = None

    def commit(self) -> None:
        """Do nothing: the snapshot is written."""


class Learning(Stage):
    """The stage of one arm, on its target's partition of labelled-examples.

    A record that is not an example of this target is skipped and counted: only scorers write there. Examples of former
    definitions are learnt where these declare the arm alike. Raises LogGap for an example whose predecessor is missing,
    and DeploymentMismatch for later definitions."""

    topics: Sequence[str] = (LABELLED_EXAMPLES,)
    batch_interval: float = 0.1  # a batch for every few examples would cost far more than learning them

    def __init__(
        self,
        use_case: UseCase,
        target: Target,
        arm: Arm,
        deployment: Deployment,
        models: ModelStore,
        codec: Codec,
        keys: Keys,
        limit: int = LIMIT,
    ) -> None:
        """`keys`: the one that the log names seals snapshots and signs switches.

        `limit`: maximum size of a snapshot, bytes."""
        self._target = target
        self._arm = arm
        self._deployment = deployment
        self._gate = DeploymentGate(deployment, keys)
        self._keys = keys
        self._versions = Versions(models, keys, limit)
        self._codec = codec
        self._inputs = arm_inputs(deployment.definitions)[target.name, arm.name]
        self._names = self._inputs.vector
        self._partition = TopicPartition(LABELLED_EXAMPLES, deployment.target_partitions[target.name])
        self._start()

    @property
    def failure(self) -> str:
        """Why this arm no longer learns; "" while it does. The last good version keeps serving."""
        return self._state.failure

    @property
    def examples(self) -> int:
        """Number of examples learnt since the start of the lineage."""
        return self._state.examples

    @property
    def skipped(self) -> int:
        """Number of records that were not examples of this target."""
        return self._state.skipped

    def wants(self, partition: TopicPartition) -> bool:
        """Return whether this is the one partition that holds the target's examples."""
        return partition == self._partition

    # -- where to continue

    def assign(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        """See Stage.assign. Continues from the greatest readable snapshot.

        Reading starts at the last learnt example, which is skipped. So a batch arrives even when the log has nothing
        new, and the last switch, which may never have been written, is sent again."""
        self._start()
        if self._partition not in partitions:
            return {}
        self._resume()
        return {self._partition: max(self._state.position.offset - 1, 0)}

    def _start(self) -> None:
        """Start untrained, at the beginning of the log."""
        kind = self._target.kind
        model = build_model(self._arm, self._target.name, kind, self._names, LINEAGE)
        version = Version(self._target.name, self._arm.name, LINEAGE, -1)
        self._state = Snapshot(version, model, HighWater(), Position(0), 0)
        self._state.declared, self._state.inputs = self._inputs.declared, self._inputs.digest
        self._versions.keys = self._sealed_by = self._keys
        self._resend = False
        self._serve_every = self._target.serve_every  # 0: the definitions in force declare this arm otherwise
        self._unsaved = 0
        self._kept = ""  # path of the newest snapshot
        self._probes: deque[list[float]] = deque(maxlen=PROBES)

    def _resume(self) -> None:
        former = repr((self._arm.model, self._target.kind))[:-1]
        found = self._versions.newest(self._state.version, self._inputs, former)
        if found is not None:
            self._state = found
            self._kept = found.version.path
            self._resend = found.served is not None
            self._sealed_by = self._versions.keys

    def intact(self) -> bool:
        """See Stage.intact: the newest snapshot is there."""
        return not self._kept or self._versions.has(self._kept)

    # -- the log

    def process(self, batch: Batch) -> Iterator[LearningSlice]:
        """See Stage.process. A slice ends at each snapshot, so that no switch is left out."""
        if self._resend:
            yield self._slice()
        for record in batch.get(self._partition, ()):
            if record.offset < self._state.position.offset:
                continue
            if self._record(record):
                yield self._slice()
        yield self._slice()

    def _slice(self) -> LearningSlice:
        """Return a slice with the switches to send. Only positions that a snapshot holds are reported to Kafka."""
        state, partitions = self._state, self._deployment.partitions
        outputs = switches(state, partitions, self._codec, self._sealed_by) if self._resend else []
        self._resend = False
        kept = not self._unsaved and self._state.version.offset >= 0
        positions = {self._partition: self._state.position.offset} if kept else {}
        return LearningSlice(outputs, positions)

    def _record(self, raw: LogRecord) -> bool:
        """Process a record; return whether the slice must end after it."""
        try:
            name, record = self._codec.decode(raw.value)
        except Undecodable:
            name, record = "", {}
        if name == LABELLED_EXAMPLE:
            return self._example(raw.offset, record)
        ended = False
        if name == DEPLOYMENT and self._signed(name, record):
            ended = self._deploy(raw.offset, record)
        elif name != PROGRESS:
            self._state.skipped += 1
        self._state.position = Position(raw.offset + 1)
        return ended

    def _signed(self, name: str, record: DeploymentRecord) -> bool:
        return check(name, record, self._versions.keys, LABELLED_EXAMPLES, self._partition.partition)

    def _deploy(self, offset: int, record: DeploymentRecord) -> bool:
        """Process a change of definitions; return whether it completed a version.

        What was learnt before it is always saved, so that the versions do not depend on which worker comes here: one
        of the former definitions, which ends, or one of the new ones. Examples under definitions that do not declare
        this arm, or declare it otherwise, are skipped."""
        state = self._state
        if is_replayed(record, state.deployment_number):
            state.skipped += 1
            return False
        theirs = record["deployment_id"]
        ended = self._unsaved > 0 and theirs != state.deployment_id
        if ended:
            self._save()
        self._gate.obey(self._state, record, self._partition, offset)
        self._versions.keys = self._versions.keys.in_force(record["keys"])
        target, ours = self._target, self._deployment.definitions
        self._serve_every = target.serve_every
        if theirs != self._gate.ours:
            self._serve_every = serving_interval(record["definitions"], ours, target.name, self._arm.name)
        return ended

    def _example(self, offset: int, example: LabelledExampleRecord) -> bool:
        state, source = self._state, example["source"]
        ours, last = example["target"] == self._target.name, state.marks.get(source["partition"])
        if not ours or not state.marks.advance(source["partition"], source):
            state.skipped += not ours
            state.position = Position(offset + 1)
            return False
        self._check_previous(offset, example["previous"], source["partition"], last)
        if state.deployment_id != self._gate.ours:
            self._gate.check(state, self._partition, offset)
        state.position = Position(offset + 1)
        if state.model is None or not self._serve_every:
            return False
        vector, label = example["vector"], example["label"]
        strange = self._inputs.reads and len(vector) != len(self._names)
        if strange or not isfinite(label):
            # for example a question that was asked before the features changed
            state.skipped += 1
            return False
        return self._learn(offset, vector, label)

    def _check_previous(self, offset: int, previous: str | None, partition: int, last: Mark | None) -> None:
        expected = None if last is None else f"{last[0]}.{partition}.{last[1]}.{last[2]}"
        if previous != expected:
            raise LogGap(
                f"The example at offset {offset} of {LABELLED_EXAMPLES}[{self._partition.partition}] follows "
                f"{previous}, but the last one read of its source is {expected}; restore the topic, or wipe it "
                "and the model store."
            )

    # -- the model

    def _learn(self, offset: int, vector: list[float], label: float) -> bool:
        """Learn an example; return whether it completed a version."""
        state, model = self._state, self._state.model
        assert model is not None
        state.version = state.version._replace(offset=offset)
        try:
            model.learn(vector, label)
        except Exception as error:
            self._fail(f"learning raised {type(error).__name__}: {error}")
            return True
        state.examples += 1
        self._unsaved += 1
        self._probes.append(vector)
        if state.examples % self._serve_every:
            return False
        self._save()
        return True

    def _save(self) -> None:
        """Write a snapshot and continue with the loaded copy, so that a restart continues with an equal object."""
        state = self._state
        served, state.served = state.served, None
        try:
            blob = self._versions.sealed(state)
            loaded = self._versions.loaded(blob)
            assert loaded.model is not None
            why = unfit(loaded.model, len(self._names), self._probes)
        except BadSnapshot as error:
            why = str(error)
        except (RecursionError, MemoryError) as error:
            why = f"the model cannot be written: {type(error).__name__}"
        if why:
            state.served = served
            self._fail(why)
            return
        self._versions.put(state.version.path, blob)
        self._state = loaded
        self._saved()

    def _saved(self) -> None:
        self._unsaved = 0
        self._kept = self._state.version.path
        self._probes.clear()
        self._resend = self._state.served is not None
        self._sealed_by = self._versions.keys  # signs the switch, also when a restart sends it again

    def _fail(self, why: str) -> None:
        """Mark the candidate as failed at this version: it stops learning, and the last good version keeps serving."""
        state = self._state
        state.model, state.failure = None, why
        log.error("%s failed and stops learning; the version before it keeps serving: %s", state.version, why)
        self._versions.put(state.version.path, self._versions.sealed(state))
        self._saved()
