"""Scoring: customer-events in; predictions, labelled examples and progress out; state and position together.

One slice spans all partitions of a batch. Nothing here depends on where batches or slices begin: a tick's
timers are worked off in slices of a fixed number, and whatever fails is computed again from the last commit."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from schemas.topics import CUSTOMER_EVENTS
from streams.avro.codec import Codec
from streams.deployment import Deployment
from streams.deployment_gate import DeploymentGate
from streams.errors import DeadReason, TidecastError, Undecodable
from streams.features.plan import FeaturePlan
from streams.features.window import duration_ms
from streams.identity import Position
from streams.log import Batch, LogRecord, Output, SetAside, Stage, TopicPartition
from streams.models.store import ModelStore
from streams.models.version import Version
from streams.scoring.intake import MAX_CUSTOMER_BYTES, OUTCOME, Intake, Taken, check_outcome, digest
from streams.scoring.model_cache import ServedModels
from streams.scoring.predicting import Questions
from streams.scoring.rejects import Aside
from streams.scoring.timers import Timers
from streams.scoring.working_set import CustomerCache, CustomerWork, PartitionWork
from streams.state.store import PartitionCommit, ScoringStore
from streams.targets.observations import EarlyOutcome
from streams.targets.plan import TargetPlan
from streams.timeline import PartitionHeader, Serving
from streams.usecases import UseCase

log = logging.getLogger(__name__)


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
    set_aside: SetAside
    scoring: "Scoring"

    def commit(self) -> None:
        """streams.log.Slice.commit."""
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
        signing_key: bytes,
        cache_customers: int = 100_000,
    ) -> None:
        """`cache_customers`: customers kept in memory, packed."""
        self._deployment = deployment
        self._gate = DeploymentGate(deployment.deployment_id)
        self._store = store
        self._codec = codec
        self._lateness = duration_ms(use_case.allowed_lateness)
        self._features = FeaturePlan(use_case)
        self._targets = [
            TargetPlan(deployment.target_partitions[t.name], t, self._features.names) for t in use_case.targets
        ]
        self._by_name = {plan.name: plan for plan in self._targets}
        self._kinds: dict[str, str] = {target.name: target.kind for target in use_case.targets}
        self._models = ServedModels(models, signing_key)
        for plan in self._targets:
            for arm_index in range(len(plan.arms)):
                self._models.untrained(plan, arm_index)  # made now: an import must not stall the first batch
        places = deployment.target_partitions
        correctable = {p.name: p.correctable for p in self._targets if p.correctable is not None}
        self._questions = Questions(codec, self._models, deployment.deployment_id, places, correctable)
        self._cache = CustomerCache(store, self._features, self._lateness, cache_customers)
        self._aside = Aside(codec)
        self._timers = Timers(
            store, self._cache, self._features, self._targets, self._questions, self._aside, self._lateness
        )
        max_ahead = duration_ms(use_case.max_ahead)
        events = {use_case.event_full_name(short): schema for short, schema in use_case.events.items()}
        wall = use_case.clock == "wall"
        self._intake = Intake(codec, events, deployment.partitions, max_ahead, signing_key, wall)
        self._committed: dict[int, tuple[Position | None, bytes]] = {}
        self._poison: set[tuple[int, int, str | None]] = set()

    def wants(self, partition: TopicPartition) -> bool:
        """Every partition of customer-events."""
        return True

    def assign(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        """streams.log.Stage.assign."""
        self._cache.clear()
        found = self._store.positions([tp.partition for tp in partitions])
        fresh = PartitionHeader().pack()
        self._committed = {tp.partition: found.get(tp.partition, (None, fresh)) for tp in partitions}
        return {tp: self._start(tp.partition).offset for tp in partitions}

    def _start(self, partition: int) -> Position:
        return self._committed[partition][0] or Position(0)

    def process(self, batch: Batch) -> Iterator[ScoringSlice]:
        """streams.log.Stage.process."""
        self._codec.begin_batch()
        rest = {tp.partition: list(records) for tp, records in batch.items() if records}
        while True:
            rest = {p: [r for r in records if r.offset >= self._start(p).offset] for p, records in rest.items()}
            rest = {p: records for p, records in rest.items() if records}
            if not rest:
                return
            try:
                piece = self._slice(rest)
            except _Failed as failed:
                if not isinstance(failed.__cause__, TidecastError):
                    where = f"{CUSTOMER_EVENTS}[{failed.place[0]}] at {failed.place[1]}"
                    log.error("%s raised an error and becomes a dead letter", where, exc_info=failed.__cause__)
                    self._poison.add(failed.place)
                    continue
                before = self._before(rest, failed)
                if before is None:
                    raise failed.__cause__ from None
                piece = before
            yield piece

    def commit(self, piece: ScoringSlice) -> None:
        """Write a slice; only then is it remembered."""
        self._store.commit(piece.commits)
        self._cache.committed(piece.works, piece.commits)
        for commit in piece.commits:
            self._committed[commit.partition] = (commit.position, commit.header)

    def _before(self, rest: Mapping[int, list[LogRecord]], failed: _Failed) -> ScoringSlice | None:
        """What can be done before the records that have to wait; None when that is nothing."""
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
        set_aside = self._aside.begin()
        for work, records in opened:
            works.append(work)
            self._aside.open(work)
            finished = self._partition(work, records)
            self._aside.close(work)
            if not finished:
                break
        commits = [work.changes(self._features, self._lateness) for work in works]
        return ScoringSlice(
            [output for work in works for output in work.outputs],
            {TopicPartition(CUSTOMER_EVENTS, work.partition): work.offset for work in works},
            works,
            commits,
            set_aside,
            self,
        )

    def _open(self, partition: int) -> PartitionWork:
        position, packed = self._committed[partition]
        header = PartitionHeader.unpack(packed)
        for serving in header.serving.values():
            self._models.prepare(serving)
        start = position or Position(0)
        return PartitionWork(
            CUSTOMER_EVENTS, self._deployment.epoch, partition, position, header, start.offset, start.step
        )

    def _partition(self, work: PartitionWork, records: Sequence[LogRecord]) -> bool:
        """Work records off; False when the slice must end here, in the middle of a tick."""
        resumed = work.ordinal
        for raw in records:
            if raw.offset != work.offset:
                resumed = 0
            work.offset, work.ordinal = raw.offset, resumed
            try:
                finished = self._record(work, raw, bool(resumed))
            except Exception as error:
                raise _Failed(work.partition, raw.offset, self._timers.in_hand) from error
            if not finished:
                return False
            resumed = 0
            work.offset, work.ordinal = raw.offset + 1, 0
        return True

    def _record(self, work: PartitionWork, raw: LogRecord, resumed: bool) -> bool:
        """One record, start to end; False when a tick has more timers to fire in the next slice."""
        header = work.header
        self._timers.in_hand = None
        try:
            if (work.partition, raw.offset, None) in self._poison:
                raise Undecodable(DeadReason.FAILED, "working on this record raised an error: see the worker's log")
            taken = self._intake.take(work.partition, raw, header.last_tick)
            if taken.name == "tidecast.Deployment":
                header.counters["controls"] += 1
                self._gate.obey(header, taken.record, _place(work), raw.offset)
            elif header.deployment_id != self._gate.ours:
                raise self._gate.mismatch(header.deployment_id, _place(work), raw.offset)
            elif taken.name == "tidecast.Tick":
                return self._tick(work, taken.record, resumed)
            elif taken.name == "tidecast.Switch":
                self._switch(work, taken.record)
            elif taken.name == OUTCOME:
                self._outcome(work, taken.record)
            else:
                self._event(work, raw, taken)
        except Undecodable as refused:
            self._aside.dead(work, raw, refused.reason, refused.detail)
            header.counters["dead"] += 1
        return True

    # -- control records

    def _switch(self, work: PartitionWork, record: Mapping[str, Any]) -> None:
        header = work.header
        arm = f"{record['target']}/{record['arm']}"
        plan = self._by_name.get(record["target"])
        if plan is None or record["arm"] not in [a.name for a in plan.arms]:
            raise Undecodable(DeadReason.BAD_CONTROL, f"a switch names {arm}, which this deployment has not declared")
        if not _names_its_own(record):
            raise Undecodable(DeadReason.BAD_CONTROL, f"a switch of {arm} names another's version or snapshot")
        old = header.serving.get(arm)
        if old is None or (record["command"], record["offset"]) > (old.command, old.offset):
            new = Serving(
                record["version"],
                record["command"],
                record["offset"],
                record["snapshot"],
                record["digest"],
                -1 if header.last_tick is None else header.last_tick,
                None if old is None else (old.version, old.snapshot, old.digest),
            )
            self._models.prepare(new)
            header.serving[arm] = new
            work.panels.clear()
        header.counters["controls"] += 1

    def _tick(self, work: PartitionWork, record: Mapping[str, Any], resumed: bool) -> bool:
        header = work.header
        if not resumed:
            header.counters["controls"] += 1
            if header.last_tick is not None and record["time"] <= header.last_tick:
                return True
            header.last_tick = record["time"]
        if not self._timers.fire(work, self._poison):
            return False
        self._questions.progress(work, self._lateness)
        return True

    # -- what customers do

    def _customer(self, work: PartitionWork, customer_id: str) -> CustomerWork:
        """The customer; one never seen here must belong to this partition."""
        customer = self._cache.open(work, customer_id)
        if not customer.known:
            self._intake.check_partition(customer_id, work.partition)
            customer.known = True
        return customer

    def _event(self, work: PartitionWork, raw: LogRecord, taken: Taken) -> None:
        header, record = work.header, taken.record
        customer = self._customer(work, record["customer_id"])
        state, moment = customer.state, record["occurred_at"]
        seen = digest(record["event_id"])
        if state.digests.seen(seen):
            header.counters["duplicate"] += 1
            return
        watermark = header.watermark(self._lateness)
        if watermark is not None and moment < watermark:
            self._aside.late(work, raw, taken, watermark)
            header.counters["late"] += 1
            return
        self._resolve(work, customer, taken.event, record)
        state.digests.remember(seen)
        self._features.update(state, taken.event, record, moment)
        customer.state_changed = True
        features = None
        for plan in self._targets:
            plan.schedule(state, customer.customer_id, taken.event)
            if taken.event in plan.on:
                if features is None:
                    features = self._features.vector(state, state.clock)
                self._questions.ask(work, customer, plan, features, state.clock, taken.event)
        header.counters["accepted"] += 1

    def _resolve(self, work: PartitionWork, customer: CustomerWork, event: str, record: Mapping[str, Any]) -> None:
        """Settle or add to the older observations that this event concerns."""
        waiting = customer.observations.waiting
        plans = {plan.name: plan for plan in self._targets if plan.concerns(event, record)} if waiting else {}
        if not plans:
            return
        moment = record["occurred_at"]
        for observation in list(waiting):
            plan = plans.get(observation.target)
            if plan is None or not plan.take_event(record, moment, observation):
                continue
            customer.observations_changed = True
            label = plan.label_on_event()
            if label is not None:
                self._questions.settle(work, customer, observation, label, moment, "event")

    def _outcome(self, work: PartitionWork, record: Mapping[str, Any]) -> None:
        header = work.header
        check_outcome(self._kinds, record)
        customer = self._customer(work, record["customer_id"])
        seen = digest(record["outcome_id"])
        if customer.state.digests.seen(seen):
            header.counters["duplicate"] += 1
            return
        target, wanted, moment = record["target"], record["prediction_id"], record["occurred_at"]
        named = [o for o in customer.observations.waiting if o.is_named(target, wanted) and o.spans(moment)]
        watermark = header.watermark(self._lateness)
        settled = None if named else customer.observations.settled_as(target, wanted, moment)
        early = not named and settled is None and (watermark is None or moment > watermark)
        if early:
            customer.observations.check_room_for_early()
        customer.state.digests.remember(seen)
        customer.state_changed = True
        header.counters["accepted"] += 1
        for observation in named:
            self._questions.settle(work, customer, observation, record["value"], moment, "outcome")
        if settled is not None:
            self._questions.correct(work, customer, settled, record["value"], moment)
        elif early:
            customer.observations.early.append(EarlyOutcome(target, wanted, moment, record["value"]))
            customer.observations_changed = True
        elif not named:
            header.counters["unmatched"] += 1


def _place(work: PartitionWork) -> TopicPartition:
    return TopicPartition(CUSTOMER_EVENTS, work.partition)


def _names_its_own(switch: Mapping[str, Any]) -> bool:
    """Whether version, offset and snapshot of a switch belong to its target and arm, and to each other."""
    try:
        version = Version.parse(switch["version"])
    except ValueError:
        return False
    named = (version.target, version.arm, version.offset, version.path)
    return named == (switch["target"], switch["arm"], switch["offset"], switch["snapshot"])


def _key(record: LogRecord) -> str | None:
    """The customer a record is keyed by; None for controls and keys that are no customer's."""
    try:
        return record.key.decode() if record.key and len(record.key) <= MAX_CUSTOMER_BYTES else None
    except UnicodeDecodeError:
        return None
