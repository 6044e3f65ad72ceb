"""The status of a running system: positions, lag, serving versions, accounting, alerts."""

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace

from agents.kafka.consumer_groups import assigned
from agents.kafka.log_ends import LogEnd, LogEnds
from agents.kafka.read_ahead import GroupOffset, GroupReadAhead
from agents.kafka.tail_reader import TailReader
from agents.operations.positions import StagePosition
from agents.operations.problems import blocked, standing_still, unserved
from agents.preflight import PreflightFinding
from agents.stages import SCORING, STAGES, StageRow, Store, learner_group
from agents.wiring import Wiring
from schemas.records import DRIFT_ALERT, DriftAlertRecord
from schemas.topics import DRIFT_ALERTS, LABELLED_EXAMPLES
from sinks.redis.client import server_time
from streams.errors import SettingError, TidecastError
from streams.features.window import duration_ms
from streams.log import Cause, Stage, TopicPartition
from streams.timeline import PartitionHeader

EVENTS = ("accepted", "duplicate", "late", "dead")
"""The counters that add up to the published records."""
OPEN_S = 2.0
"""Seconds for which a transaction must be open to be called a problem. Ordinary ones last milliseconds."""
Ends = Mapping[TopicPartition, LogEnd]
Reported = Mapping[TopicPartition, GroupOffset]
Owned = Mapping[str, set[TopicPartition]]


@dataclass(frozen=True, slots=True)
class ServedArm:
    """A serving version. age: event time since the switch, ms; None when unknown."""

    target: str
    arm: str
    version: str
    age: int | None
    partitions: int


@dataclass(frozen=True, slots=True)
class FallbackCount:
    """Answers of an arm that the version switched to did not give. share: of the target's questions, 0 to 1."""

    target: str
    arm: str
    is_champion: bool
    cause: str
    answers: int
    share: float


@dataclass(slots=True)
class SystemStatus:
    """Everything that `tidecast status` shows.

    counters: of scoring, summed over partitions. problems: what keeps the system from going on. findings: what keeps
    stages from starting, or puts data at risk. Times in ms."""

    use_case: str
    deployment_id: str
    epoch: int
    places: list[StagePosition] = field(default_factory=list)
    ticks: dict[int, int | None] = field(default_factory=dict)
    watermark: int | None = None
    tick_age: int | None = None
    """How old the last tick is in the partition that is furthest behind, on a wall clock."""
    paused: dict[int, str] = field(default_factory=dict)
    """Partitions whose time stands still, and by whom: `worker` after a silence, or `person`."""
    counters: dict[str, int] = field(default_factory=dict)
    serving: list[ServedArm] = field(default_factory=list)
    fallbacks: list[FallbackCount] = field(default_factory=list)
    open_alerts: list[DriftAlertRecord] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    findings: list[PreflightFinding] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def published(self) -> int:
        """Number of events and outcomes that scoring has read: accepted + duplicate + late + dead."""
        return sum(self.counters.get(name, 0) for name in EVENTS)

    @property
    def champions_fallbacks(self) -> int:
        """Number of champions' answers that another version gave, since their first versions."""
        told = (each for each in self.fallbacks if each.is_champion and each.cause != Cause.UNTRAINED)
        return sum(each.answers for each in told)

    def lag(self, stage: str) -> int:
        """Return the number of records that a stage has left to process."""
        return sum(place.lag for place in self.places if place.stage == stage)


class StatusReader:
    """Reads the status of a system repeatedly over the same connections."""

    def __init__(self, wiring: Wiring, follower: TailReader) -> None:
        self._wiring = wiring
        self._follower = follower
        self._lateness = duration_ms(wiring.use_case.allowed_lateness)
        self._groups = GroupReadAhead(wiring.settings)
        self._ends = LogEnds(wiring.settings)
        self._built: dict[str, Stage] = {}

    def look(self) -> SystemStatus:
        """Return the present status of all stages."""
        deployment = self._wiring.deployment
        status = SystemStatus(deployment.use_case, deployment.deployment_id, deployment.epoch)
        add = {
            Store.CUSTOMERS: self._customers,
            Store.SNAPSHOTS: self._snapshots,
            Store.PARTITIONS: self._partitions,
            Store.TABLES: self._tables,
        }
        for row in STAGES.values():
            add[row.store](row, status)
        ends = self._measure(status)
        groups = {place.group for place in status.places}
        owned = assigned(self._wiring.settings, groups)
        reported = {group: self._groups.of(group) for group in groups}
        self._pass_over(status, reported, owned)
        status.problems = self._problems(status, ends, owned)
        return status

    def _problems(self, status: SystemStatus, ends: Ends, owned: Owned) -> list[str]:
        """Return what keeps the system from going on, worst first."""
        found: list[str] = []
        if any(end.readable < end.high for end in ends.values()):
            time.sleep(OPEN_S)
            found += blocked(self._wiring.settings, ends, self._ends.of(ends))
        found += unserved(status.places, owned)
        if self._wiring.use_case.clock == "wall" and not found:
            every = duration_ms(self._wiring.use_case.tick_every)
            found += standing_still(status.ticks, every, int(time.time() * 1000))
        return found

    def scoring(self) -> SystemStatus:
        """Return the status of scoring alone, which is quicker."""
        deployment = self._wiring.deployment
        status = SystemStatus(deployment.use_case, deployment.deployment_id, deployment.epoch)
        self._customers(SCORING, status)
        self._measure(status)
        return status

    def _measure(self, status: SystemStatus) -> Ends:
        """Set the lags, and return the ends of the logs. They are read after all positions, so that no record is
        overlooked, and count what cannot be read yet."""
        ends = self._ends.of({place.place for place in status.places})
        for number, place in enumerate(status.places):
            end = ends.get(place.place)
            status.places[number] = replace(place, lag=max(0, end.high - place.next_offset) if end else 0)
        return ends

    def _pass_over(self, status: SystemStatus, reported: Mapping[str, Reported], owned: Owned) -> None:
        """Remove from the lag what is processed after a position: offsets without a record, and what a learner has in
        memory. A learner that has ended must process that again."""
        for number, place in enumerate(status.places):
            group = reported[place.group].get(place.place)
            if group is None or group.position != place.next_offset:
                continue
            if place.stage in STAGES or place.place in owned.get(place.group, ()):
                ahead = group.read_ahead - group.position
                status.places[number] = replace(place, lag=max(0, place.lag - ahead))

    def alerts(self, follower: TailReader) -> list[DriftAlertRecord]:
        """Return the open alerts, oldest first, read by a consumer of its own."""
        found: dict[str, DriftAlertRecord] = {}
        follower.start([DRIFT_ALERTS], lambda low, high: low)
        while not follower.finished:
            for read in follower.next(0.2):
                if read.name != DRIFT_ALERT:
                    continue
                alert: DriftAlertRecord = read.record
                if alert["state"] == "open":
                    found.setdefault(alert["alert_id"], alert)
                else:
                    found.pop(alert["alert_id"], None)
        return list(found.values())

    def _customers(self, row: StageRow, status: SystemStatus) -> None:
        (topic,) = row.topics
        partitions = self._owned(topic)
        stored = self._wiring.scoring_store.positions(partitions)
        arms: dict[tuple[str, str], tuple[int, int | None]] = {}
        asked: Counter[str] = Counter()
        fallbacks: Counter[str] = Counter()
        for partition in partitions:
            position, packed = stored.get(partition, (None, PartitionHeader().pack()))
            header = PartitionHeader.unpack(packed)
            reached = position.offset if position else 0
            status.places.append(StagePosition(row.name, row.group, topic, partition, reached))
            status.ticks[partition] = header.last_tick
            if header.is_paused:
                status.paused[partition] = "worker" if header.pause_is_automatic else "person"
            for name, count in header.counters.items():
                status.counters[name] = status.counters.get(name, 0) + count
            asked.update(header.asked)
            fallbacks.update(header.fallbacks)
            for arm, serving in header.serving.items():
                age = None
                if serving.switched_at >= 0 and header.last_tick is not None:
                    age = header.last_tick - serving.switched_at
                count, oldest = arms.get((arm, serving.version), (0, None))
                ages = [a for a in (age, oldest) if a is not None]
                arms[arm, serving.version] = (count + 1, max(ages, default=None))
        known = [tick for tick in status.ticks.values() if tick is not None]
        if known and len(known) == len(status.ticks):
            status.watermark = min(known) - self._lateness
            if self._wiring.use_case.clock == "wall":
                with suppress(SettingError):  # Redis forbids its user to ask for the time
                    status.tick_age = int(server_time(self._wiring.redis) * 1000) - min(known)
        for (arm, version), (count, age) in sorted(arms.items()):
            target, _, name = arm.partition("/")
            status.serving.append(ServedArm(target, name, version, age, count))
        status.fallbacks = list(self._fallbacks(asked, fallbacks))

    def _fallbacks(self, asked: Mapping[str, int], fallbacks: Mapping[str, int]) -> Iterator[FallbackCount]:
        targets = self._wiring.use_case.targets
        champions = {(target.name, arm.name) for target in targets for arm in target.arms if arm.role == "champion"}
        for name, answers in sorted(fallbacks.items()):
            target, _, rest = name.partition("/")
            arm, _, cause = rest.rpartition("/")
            yield FallbackCount(target, arm, (target, arm) in champions, cause, answers, answers / asked[target])

    def _owned(self, topic: str) -> list[int]:
        """Return the deployed partitions of a topic."""
        return [number for number in self._follower.bounds(topic) if self._wiring.deployment.owns(topic, number)]

    def _snapshots(self, row: StageRow, status: SystemStatus) -> None:
        for target in self._wiring.use_case.targets:
            partition = self._wiring.deployment.target_partitions[target.name]
            for arm in target.arms:
                reached = self._learnt(target.name, arm.name)
                stage, group = f"{row.name} {target.name}/{arm.name}", learner_group(target.name, arm.name)
                status.places.append(StagePosition(stage, group, LABELLED_EXAMPLES, partition, reached))

    def _learnt(self, target: str, arm: str) -> int:
        """Return the next offset after the newest snapshot of an arm; 0 before the first."""
        paths = self._wiring.models.list(f"{target}/{arm}/")
        offsets = [int(path.rsplit("/", 1)[-1].removesuffix(".snapshot")) for path in paths]
        return max(offsets, default=-1) + 1

    def _partitions(self, row: StageRow, status: SystemStatus) -> None:
        stage = self._built.get(row.name) or self._built.setdefault(row.name, row.build(self._wiring)[row.group])
        for place in [TopicPartition(topic, p) for topic in row.topics for p in self._owned(topic)]:
            if stage.wants(place):
                stored = self._wiring.stage_store.position(row.name, *place)
                status.places.append(StagePosition(row.name, row.group, *place, stored.offset if stored else 0))

    def _tables(self, row: StageRow, status: SystemStatus) -> None:
        from sinks.clickhouse.client import READING, clear_errors, connect

        settings = self._wiring.settings
        query = "SELECT topic, log_partition, next_offset FROM positions WHERE log_epoch = {epoch:Int64}"
        try:
            client = connect(settings.clickhouse_database, READING, **settings.clickhouse())
            with clear_errors():
                rows = client.query(query, parameters={"epoch": status.epoch}).result_rows
        except TidecastError as error:
            status.notes.append(f"{row.name}: {error}")
            return
        reached = {(topic, partition): offset for topic, partition, offset in rows}
        for topic in row.topics:  # also topics of which nothing is written yet: all their records are lag
            for partition in self._owned(topic):
                offset = reached.get((topic, partition), 0)
                status.places.append(StagePosition(row.name, row.group, topic, partition, offset))
