"""Rebuild: restores lost state from the stage's own log, silently up to the offset that its group has reported.

A stage reports an offset only after the broker has acked all outputs of the records before it, so that a rebuild can
drop these outputs. More may have been sent than was reported. A worker that continues from the reported offset sends
that part again, with the same bytes and coordinates, and readers drop it by their marks.

A rebuild may be killed anywhere: it commits position and state together, and continues from there."""

from collections.abc import Callable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from itertools import islice

from agents.kafka.consumer_groups import reported
from agents.kafka.log_reader import LogReader
from agents.stages import GROUP_PREFIX, STAGES, StageRow, Store
from agents.wiring import Wiring
from schemas.records import SWITCH, SwitchRecord
from schemas.topics import CUSTOMER_EVENTS
from streams.control import check
from streams.errors import DeploymentMismatch, KeyMissing, LogGap, PositionConflict, TidecastError, Undecodable
from streams.keys import Keys
from streams.log import Emitter, LogRecord, Stage, TopicPartition
from streams.models.snapshot import BadSnapshot, unseal
from streams.models.store import ModelStore

BATCH = 10_000
"""Records per batch. It is larger than a worker's, because nobody waits for an answer."""

Advance = Callable[[int], None]
"""Called with the number of records done since the last call."""


@dataclass(frozen=True, slots=True)
class Lost:
    """A partition of a stage whose stored position lies before the offset that its group has reported.

    It is read from `begin` to `end`, and outputs are dropped up to `silent`. `missing`: the number of snapshots that
    switches name and the model store lacks; None for the state of other stages."""

    store: Store
    group: str
    stage: Stage
    place: TopicPartition
    begin: int
    silent: int
    end: int
    missing: int | None = None

    @property
    def name(self) -> str:
        """The stage or learner and its partition, as `tidecast status` names them."""
        return f"{self.group.removeprefix(GROUP_PREFIX)} {self.place.topic}[{self.place.partition}]"

    @property
    def records(self) -> int:
        """The number of records to read."""
        return self.end - self.begin


class Again:
    """A ModelStore that appears empty, so that a learner learns from the beginning of its log.

    It writes a snapshot if the real store lacks it or holds a damaged one."""

    def __init__(self, store: ModelStore, keys: Keys) -> None:
        """`keys`: the signing keys of the snapshots."""
        self._store = store
        self._keys = keys
        self.written = 0

    def put(self, path: str, blob: bytes) -> None:
        """Write a missing snapshot. Raises TidecastError where an intact one has other bytes: switches name those
        bytes."""
        try:
            kept = self._store.get(path)
        except KeyError:
            kept = b""
        if kept == blob:
            return
        if self._sound(kept):
            raise TidecastError(
                f"the model store's {path} differs from what learning makes here: it was made with other code or on "
                "another CPU (see `tidecast deploy`); rebuild there, or restore the model store from its backup."
            )
        self._store.put(path, blob)
        self.written += 1

    def has(self, path: str) -> bool:
        """See ModelStore: what is written."""
        return self._store.has(path)

    def get(self, path: str) -> bytes:
        """See ModelStore."""
        return self._store.get(path)

    def list(self, prefix: str) -> list[str]:
        """Return no paths."""
        return []

    def _sound(self, blob: bytes) -> bool:
        try:
            unseal(blob, self._keys)
        except BadSnapshot:
            return False
        return True


class Rebuilder:
    """Finds lost state and restores it. No worker may run meanwhile."""

    def __init__(self, wiring: Wiring, reader: LogReader, emitter: Emitter) -> None:
        """`emitter`: for switches that learners have never sent."""
        self._wiring = wiring
        self._alone = copy(wiring)  # what former definitions made of the log cannot be made again under these
        self._alone.deployment = wiring.deployment.alone()
        self._reader = reader
        self._emitter = emitter
        self.snapshots = Again(wiring.models, wiring.keys)

    def find(self, names: Sequence[str], all_snapshots: bool = False) -> list[Lost]:
        """Return the lost partitions of the stages of these names. Snapshots come first: scoring needs the models.

        all_snapshots: include every learner. Raises LogGap when the log no longer holds the records that are needed."""
        found: list[Lost] = []
        rows = [row for row in STAGES.values() if row.name in names and row.store.is_rebuilt]
        for row in sorted(rows, key=lambda row: row.store is not Store.SNAPSHOTS):
            found += self._learners(row, all_snapshots) if row.store is Store.SNAPSHOTS else self._behind(row)
        for lost in found:
            self._check(lost)
        return found

    def clear(self, found: Sequence[Lost]) -> None:
        """Delete customers of partitions without a position before the rebuild: they belong to another time."""
        bare = [lost.place.partition for lost in found if lost.store is Store.CUSTOMERS and not lost.begin]
        if bare:
            self._wiring.scoring_store.clear(bare)

    def rebuild(self, lost: Lost, advance: Advance) -> None:
        """Rebuild one partition. Call `clear` first.

        Raises Unavailable when a server is away (run it again), and DeploymentMismatch when the log holds other
        definitions (it cannot be rebuilt)."""
        begin = lost.stage.assign([lost.place])[lost.place]
        records = self._reader.read(lost.place, begin, lost.end)
        try:
            while batch := list(islice(records, BATCH)):
                self._work(lost, batch)
                advance(len(batch))
        except KeyMissing:
            raise
        except DeploymentMismatch as other:
            raise DeploymentMismatch(
                f"{lost.name} cannot be rebuilt under the definitions in force: the log holds others before them "
                f"({str(other).rstrip('.')}); restore the store from its backup, or deploy into new topics."
            ) from None
        except PositionConflict as conflict:
            raise TidecastError(
                f"Somebody else wrote the state of {lost.name} meanwhile ({conflict}): stop the workers, and other "
                "rebuilds, and run `tidecast rebuild` again."
            ) from None

    def _work(self, lost: Lost, batch: Sequence[LogRecord]) -> None:
        for slice_ in lost.stage.process({lost.place: batch}):
            if slice_.positions.get(lost.place, 0) > lost.silent:
                self._emitter.emit(slice_.outputs)
            slice_.commit()

    def _check(self, lost: Lost) -> None:
        low, high = self._reader.bounds(lost.place)
        what = f"{lost.name} would be rebuilt from offset {lost.begin}, but the log"
        if lost.begin < low:
            raise LogGap(
                f"{what} begins at {low}: its beginning was deleted; restore the store from its backup, or deploy "
                "into new topics, with a longer retention."
            )
        if max(lost.silent, lost.begin) > high:
            raise LogGap(f"{what} ends at {high} and its group has reported {lost.silent}: restore the topic first.")

    # -- state in Redis

    def _behind(self, row: StageRow) -> Iterator[Lost]:
        for group, stage in row.build(self._alone).items():
            places = self._places(stage)
            reached = stage.assign(places)
            for place, end in reported(self._wiring.settings, group, places).items():
                if reached[place] < end:
                    yield Lost(row.store, group, stage, place, reached[place], end, end)

    def _places(self, stage: Stage) -> list[TopicPartition]:
        return [place for topic in stage.topics for place in self._reader.partitions(topic) if stage.wants(place)]

    # -- snapshots in the model store

    def _learners(self, row: StageRow, all_snapshots: bool) -> Iterator[Lost]:
        """Return the arms that lack snapshots.

        They are learnt up to the end of the log: scoring may serve versions after the offset that the group reported.
        """
        arms = [f"{target.name}/{arm.name}/" for target in self._wiring.use_case.targets for arm in target.arms]
        served = self._served()
        learners = row.build(self._wiring.with_stores(models=self.snapshots))
        for folder, (group, stage) in zip(arms, learners.items(), strict=True):
            (place,) = self._places(stage)
            end = reported(self._wiring.settings, group, [place])[place]
            there = {*self._wiring.models.list(folder)}
            named = {path for path in served if path.startswith(folder)}
            if named - there or (end and not there) or (all_snapshots and named):
                high = self._reader.bounds(place)[1]
                yield Lost(row.store, group, stage, place, 0, end, high, len(named - there))

    def _served(self) -> set[str]:
        """Return every snapshot that a switch names. All partitions hold the same switches; the shortest is read."""
        deployment = self._wiring.deployment
        places = [place for place in self._reader.partitions(CUSTOMER_EVENTS) if deployment.owns(*place)]
        bounds = {place: self._reader.bounds(place) for place in places}
        place = min(bounds, key=lambda at: bounds[at][1] - bounds[at][0])
        return {path for record in self._reader.read(place, *bounds[place]) if (path := self._switch(place, record))}

    def _switch(self, place: TopicPartition, record: LogRecord) -> str:
        """Return the snapshot that a switch names; "" for any other record."""
        if record.key is not None:
            return ""
        try:
            name, fields = self._wiring.codec.decode(record.value)
        except Undecodable:
            return ""
        if name != SWITCH or not check(name, fields, self._wiring.keys, *place):
            return ""
        switch: SwitchRecord = fields
        return switch["snapshot"]
