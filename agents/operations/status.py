"""The status of a running system: positions, lag, serving versions, accounting, alerts."""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace

from agents.kafka.read_ahead import GroupReadAhead
from agents.kafka.tail_reader import TailReader
from agents.preflight import PreflightFinding
from agents.stages import SCORING, STAGES, StageRow, Store
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


@dataclass(frozen=True, slots=True)
class StagePosition:
    """The position of a stage in a partition; lag in records."""

    stage: str
    topic: str
    partition: int
    next_offset: int
    lag: int = 0


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
    """Everything that `tidecast status` shows. counters: of scoring, summed over partitions. Times in ms.

    findings: what keeps stages from going on, or puts data at risk."""

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
        self._measure(status)
        self._pass_over(status)
        return status

    def scoring(self) -> SystemStatus:
        """Return the status of scoring alone, which is quicker."""
        deployment = self._wiring.deployment
        status = SystemStatus(deployment.use_case, deployment.deployment_id, deployment.epoch)
        self._customers(SCORING, status)
        self._measure(status)
        return status

    def _measure(self, status: SystemStatus) -> None:
        """Return lags. The ends of the logs are read after all positions, so that no record is overlooked."""
        bounds = {topic: self._follower.bounds(topic) for topic in {place.topic for place in status.places}}
        for number, place in enumerate(status.places):
            _, end = bounds[place.topic].get(place.partition, (0, 0))
            status.places[number] = replace(place, lag=end - place.next_offset)

    def _pass_over(self, status: SystemStatus) -> None:
        """Remove offsets after a position that hold no record from the lag. (Learners report at snapshots only.)"""
        behind = {place.stage for place in status.places if place.lag and place.stage in STAGES}
        passed = {stage: self._groups.of(STAGES[stage].group) for stage in behind}
        for number, place in enumerate(status.places):
            at = (TopicPartition(place.topic, place.partition), place.next_offset)
            read = passed.get(place.stage, {}).get(at, place.next_offset)
            status.places[number] = replace(place, lag=max(0, place.lag - (read - place.next_offset)))

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
            status.places.append(StagePosition(row.name, topic, partition, reached))
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
                stage = f"{row.name} {target.name}/{arm.name}"
                status.places.append(StagePosition(stage, LABELLED_EXAMPLES, partition, reached))

    def _learnt(self, target: str, arm: str) -> int:
        """Return the next offset after the newest snapshot of an arm; 0 before the first."""
        paths = self._wiring.models.list(f"{target}/{arm}/")
        offsets = [int(path.rsplit("/", 1)[-1].removesuffix(".snapshot")) for path in paths]
        return max(offsets, default=-1) + 1

    def _partitions(self, row: StageRow, status: SystemStatus) -> None:
        stage = self._built.get(row.name) or self._built.setdefault(row.name, row.build(self._wiring)[row.group])
        for place in [TopicPartition(topic, p) for topic in row.topics for p in self._owned(topic)]:
            if stage.wants(place):
                stored = self._wiring.stage_store.read(row.name, *place)
                status.places.append(StagePosition(row.name, *place, stored[0].offset if stored else 0))

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
                status.places.append(StagePosition(row.name, topic, partition, reached.get((topic, partition), 0)))
