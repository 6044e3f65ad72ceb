"""Scoring: customer-events in; predictions, labelled examples and progress out; state and position together.

One slice spans all partitions of a batch. Nothing depends on where batches or slices begin: a tick's timers are worked
off in slices of a fixed number, and whatever fails is computed again from the last commit.

Where to find what:
- what a slice is made of, and what ends it early: `Scoring.process`, `_slice`, `_partition`
- what a commit writes, and in which order: `Scoring.commit` (the runner calls it after the acks)
- which record goes where: `Scoring._handlers`; checks before that, and dead letters: intake
- duplicates, late events, outcomes: customer_records; deployments, switches, ticks: control_records
- timers of a tick: timers; questions and labels: predicting; model versions that answer: model_cache, serving_set
- outputs and their coordinates: `working_set.partition.PartitionWork.emit`"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from schemas.records import DEPLOYMENT, OUTCOME, PAUSE, SWITCH, TICK
from schemas.topics import CUSTOMER_EVENTS
from streams.avro.codec import Codec
from streams.deployment import Deployment
from streams.deployment_gate import DeploymentGate
from streams.errors import DeadReason, TidecastError, Undecodable
from streams.features.plan import FeaturePlan
from streams.features.window import duration_ms
from streams.identity import Position
from streams.keys import Keys
from streams.log import Answered, Batch, LogRecord, Output, Rejects, Stage, TopicPartition
from streams.models.inputs import arm_inputs
from streams.models.store import ModelStore
from streams.scoring.control_records import ControlRecords
from streams.scoring.customer_records import CustomerRecords
from streams.scoring.intake import MAX_CUSTOMER_BYTES, Intake, Taken
from streams.scoring.model_cache import ServedModels
from streams.scoring.pauses import Pauses
from streams.scoring.predicting import Questions
from streams.scoring.rejects import RejectWriter
from streams.scoring.timers import Timers
from streams.scoring.working_set.cache import CustomerCache
from streams.scoring.working_set.partition import PartitionWork
from streams.state.store import PartitionCommit, ScoringStore
from streams.targets.plan import TargetPlan
from streams.timeline import PartitionHeader
from streams.usecases import UseCase

log = logging.getLogger(__name__)


Handler = Callable[[PartitionWork, LogRecord, Taken], bool]
"""Works on a checked record, and returns False when the slice must end within it. Undecodable makes a dead letter of
it."""


class _Failed(Exception):
    """A record could not be worked on; the slice in hand is void."""

    def __init__(self, partition: int, offset: int, customer: str | None) -> None:
        super().__init__(partition, offset, customer)
        self.place = (partition, offset, customer)


@dataclass(slots=True)
class ScoringSlice:
    """streams.log.Slice."""

    outputs: Sequence[Output]
    positions: Mapping[TopicPartition, int]
    works: list[PartitionWork]
    commits: list[PartitionCommit]
    rejects: Rejects
    answered: Answered
    scoring: "Scoring"

    def commit(self) -> None:
        """See streams.log.Slice."""
        self.scoring.commit(self)


class Scoring(Stage):
    """streams.log.Stage for customer-events."""

    topics: Sequence[str] = (CUSTOMER_EVENTS,)
    batches: int = 4

    def __init__(
        self,
        use_case: UseCase,
        deployment: Deployment,
        store: ScoringStore,
        codec: Codec,
        models: ModelStore,
        keys: Keys,
        cache_customers: int = 100_000,
    ) -> None:
        """`cache_customers`: maximum number of customers kept in memory, packed."""
        self._deployment = deployment
        self._gate = DeploymentGate(deployment, keys)
        self._store = store
        self._codec = codec
        self._lateness = duration_ms(use_case.allowed_lateness)
        self._features = FeaturePlan(use_case)
        inputs = arm_inputs(deployment.definitions)
        self._models = ServedModels(models, keys, inputs)
        self._cache = CustomerCache(store, self._features, self._lateness, cache_customers)
        self._rejects = RejectWriter(codec)
        self._committed: dict[int, tuple[Position | None, bytes]] = {}
        self._poison: set[tuple[int, int, str | None]] = {(*place, None) for place in deployment.skips}
        max_ahead = duration_ms(use_case.max_ahead)
        events = {use_case.event_full_name(short): schema for short, schema in use_case.events.items()}
        wall = use_case.clock == "wall"
        self._intake = Intake(codec, events, deployment.partitions, max_ahead, keys, wall)
        places = deployment.target_partitions
        targets = [TargetPlan(places[t.name], t, self._features.names) for t in use_case.targets]
        self._champions = {plan.name: plan.arms[plan.champion].name for plan in targets}
        for plan in targets:
            for arm_index in range(len(plan.arms)):
                self._models.untrained(plan, arm_index)  # made now: an import must not stall the first batch
        correctable = {plan.name: plan.correctable for plan in targets if plan.correctable is not None}
        questions = Questions(codec, self._models, deployment.deployment_id, places, correctable)
        pauses = Pauses(targets, self._lateness)
        self._timers = Timers(
            store, self._cache, self._features, targets, questions, self._rejects, pauses, self._poison, self._lateness
        )
        retained = self._features.stored.retained
        controls = ControlRecords(
            self._gate, inputs, self._models, questions, self._timers, pauses, self._lateness, retained
        )
        customers = CustomerRecords(
            self._cache, self._intake, self._features, targets, questions, self._rejects, pauses, self._lateness
        )
        self._handlers: dict[str, Handler] = {
            TICK: controls.tick,
            PAUSE: controls.pause,
            SWITCH: controls.switch,
            DEPLOYMENT: controls.deployment,
            OUTCOME: customers.outcome,
            **dict.fromkeys(events, customers.event),
        }

    def wants(self, partition: TopicPartition) -> bool:
        """Return whether to read a partition: all of customer-events that were deployed."""
        return self._deployment.owns(*partition)

    def assign(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        """See streams.log.Stage."""
        self._cache.clear()
        found = self._store.positions([tp.partition for tp in partitions])
        fresh = PartitionHeader().pack()
        self._committed = {tp.partition: found.get(tp.partition, (None, fresh)) for tp in partitions}
        return {tp: self._start(tp.partition).offset for tp in partitions}

    def intact(self) -> bool:
        """streams.log.Stage.intact."""
        found = self._store.positions(list(self._committed))
        return all(found.get(p, (None,))[0] == position for p, (position, _) in self._committed.items())

    def _start(self, partition: int) -> Position:
        return self._committed[partition][0] or Position(0)

    def process(self, batch: Batch) -> Iterator[ScoringSlice]:
        """See streams.log.Stage."""
        self._codec.begin_batch()
        rest = {tp.partition: list(records) for tp, records in batch.items() if records}
        while True:
            rest = {p: [r for r in records if r.offset >= self._start(p).offset] for p, records in rest.items()}
            rest = {p: records for p, records in rest.items() if records}
            if not rest:
                return
            try:
                slice_ = self._slice(rest)
            except _Failed as failed:
                if not isinstance(failed.__cause__, TidecastError):
                    where = f"{CUSTOMER_EVENTS}[{failed.place[0]}] at {failed.place[1]}"
                    log.error("%s raised an error and becomes a dead letter", where, exc_info=failed.__cause__)
                    self._poison.add(failed.place)
                    continue
                before = self._before(rest, failed)
                if before is None:
                    raise failed.__cause__ from None
                slice_ = before
            yield slice_

    def commit(self, slice_: ScoringSlice) -> None:
        """Write a slice whose outputs are acked: first to the store, each partition's state, timers and position
        together; then, if that went well, to what this process remembers."""
        self._store.commit(slice_.commits)
        self._cache.committed(slice_.works, slice_.commits)
        for commit in slice_.commits:
            self._committed[commit.partition] = (commit.position, commit.header)

    def _before(self, rest: Mapping[int, list[LogRecord]], failed: _Failed) -> ScoringSlice | None:
        """Return a slice of what can be done before the records that have to wait; None when that is nothing."""
        while True:
            partition, offset, _ = failed.place
            rest = {p: [r for r in records if p != partition or r.offset < offset] for p, records in rest.items()}
            rest = {p: records for p, records in rest.items() if records}
            if not rest:
                return None
            try:
                return self._slice(rest)
            except _Failed as another:
                failed = another.with_traceback(None)  # which would hold this frame, and so the batch, in a ring

    def _slice(self, rest: Mapping[int, list[LogRecord]]) -> ScoringSlice:
        self._models.trim()
        opened = [(self._open(partition), records) for partition, records in rest.items()]
        self._cache.fetch([(work, {c for r in records if (c := _key(r))}) for work, records in opened])
        works = []
        rejects = self._rejects.begin()
        for work, records in opened:
            works.append(work)
            self._rejects.open(work)
            finished = self._partition(work, records)
            self._rejects.close(work)
            if not finished:
                break
        commits = [work.changes(self._features, self._lateness) for work in works]
        return ScoringSlice(
            [output for work in works for output in work.outputs],
            {TopicPartition(CUSTOMER_EVENTS, work.partition): work.offset for work in works},
            works,
            commits,
            rejects,
            self._answered(works),
            self,
        )

    def _answered(self, works: Sequence[PartitionWork]) -> Answered:
        answered = Answered(self._champions)
        for work in works:
            for target, count in work.answers.asked.items():
                answered.asked[target] = answered.asked.get(target, 0) + count
            for at, count in work.answers.fallbacks.items():
                answered.fallbacks[at] = answered.fallbacks.get(at, 0) + count
        return answered

    def _open(self, partition: int) -> PartitionWork:
        position, packed = self._committed[partition]
        header = PartitionHeader.unpack(packed)
        if header.deployment_id == self._gate.ours:  # a header of a former release does not say it
            header.retained = header.retained or self._features.stored.retained
        for serving in header.serving.values():
            self._models.prepare(serving)
        return PartitionWork(CUSTOMER_EVENTS, self._deployment.epoch, partition, position, header)

    def _partition(self, work: PartitionWork, records: Sequence[LogRecord]) -> bool:
        """Work records off; False when the slice must end here, in the middle of a tick."""
        for raw in records:
            work.begin(raw.offset)
            try:
                done = self._record(work, raw)
            except Exception as error:
                raise _Failed(work.partition, raw.offset, self._timers.in_hand) from error
            if not done:
                return False
            work.end()
        return True

    def _passed_over(self, partition: int, offset: int) -> Undecodable:
        if (partition, offset) in self._deployment.skips:
            return Undecodable(DeadReason.BAD_CONTROL, "this record is passed over on purpose, by `tidecast log skip`")
        return Undecodable(DeadReason.FAILED, "working on this record raised an error: see the worker's log")

    def _record(self, work: PartitionWork, raw: LogRecord) -> bool:
        """Work on one record from start to end. Return False when a tick has more timers to fire in the next slice."""
        self._timers.in_hand = None
        try:
            if (work.partition, raw.offset, None) in self._poison:
                raise self._passed_over(work.partition, raw.offset)
            taken = self._intake.take(work.partition, raw, work.header.last_tick)
            if work.header.deployment_id != self._gate.ours and taken.name != DEPLOYMENT:
                self._gate.check(work.header, work.place, raw.offset)
            return self._handlers[taken.name](work, raw, taken)
        except Undecodable as refused:
            self._rejects.dead(work, raw, refused.reason, refused.detail)
            work.count("dead")
            return True


def _key(record: LogRecord) -> str | None:
    """Return the customer that a record is keyed by; None for controls and keys that are no customer's."""
    try:
        return record.key.decode() if record.key and len(record.key) <= MAX_CUSTOMER_BYTES else None
    except UnicodeDecodeError:
        return None
