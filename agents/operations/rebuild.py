"""Rebuild: lost state made again from the stage's own log, silently up to where its group has been.

A stage reports an offset to its group only after the broker has acked all outputs of the records before it, so nothing
is lost by dropping them once more. The group may be behind what was really sent: a worker that goes on from there sends
that little again, the same bytes with the same coordinates, which readers drop by their marks. For the same reason a
rebuild may be killed anywhere: position and state are committed together, as ever, and it goes on from there."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from agents.kafka.consumer_groups import reported
from agents.kafka.log_reader import LogReader
from agents.wiring import Wiring
from schemas.records import SWITCH, SwitchRecord
from schemas.topics import CUSTOMER_EVENTS
from streams.control import check
from streams.errors import DeploymentMismatch, LogGap, PositionConflict, TidecastError, Undecodable
from streams.log import Emitter, LogRecord, Stage, TopicPartition
from streams.models.snapshot import BadSnapshot, unseal
from streams.models.store import ModelStore

STAGES = ("learning", "scoring", "judging", "monitoring")
"""What has state to lose, in the order in which it is made again: scoring needs the models."""
BATCH = 10_000
"""Records per batch: larger than a worker's, since nobody waits for an answer."""

Advance = Callable[[int], None]
"""Told how many more records are done."""


@dataclass(frozen=True, slots=True)
class Lost:
    """A partition of a stage whose store is behind what its group has reported: read from `begin` to `end`, silent
    up to `silent`. `missing`: snapshots that switches name and the store has not, None for other stages' state."""

    verb: str
    group: str
    stage: Stage
    place: TopicPartition
    begin: int
    silent: int
    end: int
    missing: int | None = None

    @property
    def name(self) -> str:
        """As in `tidecast status`: the stage or learner, and its partition."""
        return f"{self.group.removeprefix('tidecast-')} {self.place.topic}[{self.place.partition}]"

    @property
    def records(self) -> int:
        """How many there are to read."""
        return self.end - self.begin


class Again:
    """A ModelStore that shows a learner nothing, so that it learns from the beginning of its log, and that writes
    what the real one does not have, or not whole."""

    def __init__(self, store: ModelStore, key: bytes) -> None:
        """`key`: the signing key that seals snapshots."""
        self._store = store
        self._key = key
        self.written = 0

    def put(self, path: str, blob: bytes) -> None:
        """Write what is missing; TidecastError where a sound snapshot has other bytes: switches name those."""
        try:
            kept = self._store.get(path)
        except KeyError:
            kept = b""
        if kept == blob:
            return
        if self._sound(kept):
            raise TidecastError(
                f"the model store's {path} has other bytes than learning makes here: it was made with other code or on "
                "another CPU (see `tidecast deploy`); rebuild there, or restore the model store from its backup."
            )
        self._store.put(path, blob)
        self.written += 1

    def get(self, path: str) -> bytes:
        """See ModelStore."""
        return self._store.get(path)

    def list(self, prefix: str) -> list[str]:
        """Nothing."""
        return []

    def _sound(self, blob: bytes) -> bool:
        try:
            unseal(blob, self._key)
        except BadSnapshot:
            return False
        return True


class Rebuilder:
    """Finds what is lost and makes it again. Nobody else may be at work on it meanwhile."""

    def __init__(self, wiring: Wiring, reader: LogReader, emitter: Emitter) -> None:
        """`emitter`: for what learners have never told."""
        self._wiring = wiring
        self._reader = reader
        self._emitter = emitter
        self.snapshots = Again(wiring.models, wiring.settings.signing_bytes)

    def find(self, verbs: Sequence[str], all_snapshots: bool = False) -> list[Lost]:
        """What these verbs have lost, in the order in which it is to be made again. `all_snapshots`: learning is gone
        through in any case. LogGap when the log no longer holds what is needed for it."""
        found: list[Lost] = []
        for verb in STAGES:
            if verb in verbs:
                found += self._learners(all_snapshots) if verb == "learning" else self._behind(verb)
        for lost in found:
            self._check(lost)
        return found

    def clear(self, found: Sequence[Lost]) -> None:
        """Delete customers without a position before their partitions are made again: they are of another time."""
        bare = [lost.place.partition for lost in found if lost.verb == "scoring" and not lost.begin]
        if bare:
            self._wiring.scoring_store.clear(bare)

    def rebuild(self, lost: Lost, advance: Advance) -> None:
        """Make one of them again, after `clear`. Unavailable: run it again; DeploymentMismatch: it cannot be."""
        begin = lost.stage.assign([lost.place])[lost.place]
        records = self._reader.read(lost.place, begin, lost.end)
        try:
            while batch := list(islice(records, BATCH)):
                self._work(lost, batch)
                advance(len(batch))
        except DeploymentMismatch as other:
            raise DeploymentMismatch(
                f"{lost.name} cannot be made again under the definitions in force, the log holds others before them "
                f"({str(other).rstrip('.')}); restore the store from its backup, or deploy into new topics."
            ) from None
        except PositionConflict as conflict:
            raise TidecastError(
                f"Somebody else wrote the state of {lost.name} meanwhile ({conflict}): stop the workers, and other "
                "rebuilds, and run `tidecast rebuild` again."
            ) from None

    def _work(self, lost: Lost, batch: Sequence[LogRecord]) -> None:
        for piece in lost.stage.process({lost.place: batch}):
            if piece.positions.get(lost.place, 0) > lost.silent:
                self._emitter.emit(piece.outputs)
            piece.commit()

    def _check(self, lost: Lost) -> None:
        low, high = self._reader.bounds(lost.place)
        what = f"{lost.name} would be made again from offset {lost.begin}, but the log"
        if lost.begin < low:
            raise LogGap(
                f"{what} begins at {low}: its beginning was deleted; restore the store from its backup, or deploy "
                "into new topics, with a longer retention."
            )
        if max(lost.silent, lost.begin) > high:
            raise LogGap(f"{what} ends at {high} and its group has been at {lost.silent}: restore the topic first.")

    # -- state in Redis

    def _behind(self, verb: str) -> Iterator[Lost]:
        for group, stage in self._wiring.stages(verb).items():
            places = self._places(stage)
            reached = stage.assign(places)
            for place, end in reported(self._wiring.settings, group, places).items():
                if reached[place] < end:
                    yield Lost(verb, group, stage, place, reached[place], end, end)

    def _places(self, stage: Stage) -> list[TopicPartition]:
        return [place for topic in stage.topics for place in self._reader.partitions(topic) if stage.wants(place)]

    # -- snapshots in the model store

    def _learners(self, all_snapshots: bool) -> Iterator[Lost]:
        """Arms that miss snapshots. They are learnt up to the end of the log: scoring may have been switched to
        versions behind what the group has heard of."""
        arms = [f"{target.name}/{arm.name}/" for target in self._wiring.use_case.targets for arm in target.arms]
        served = self._served()
        learners = self._wiring.stages("learning", self.snapshots)
        for folder, (group, stage) in zip(arms, learners.items(), strict=True):
            (place,) = self._places(stage)
            end = reported(self._wiring.settings, group, [place])[place]
            there = {*self._wiring.models.list(folder)}
            named = {path for path in served if path.startswith(folder)}
            if named - there or (end and not there) or (all_snapshots and named):
                high = self._reader.bounds(place)[1]
                yield Lost("learning", group, stage, place, 0, end, high, len(named - there))

    def _served(self) -> set[str]:
        """Every snapshot that a switch names: all partitions are told the same, the shortest is read."""
        bounds = {place: self._reader.bounds(place) for place in self._reader.partitions(CUSTOMER_EVENTS)}
        place = min(bounds, key=lambda at: bounds[at][1] - bounds[at][0])
        return {path for record in self._reader.read(place, *bounds[place]) if (path := self._switch(place, record))}

    def _switch(self, place: TopicPartition, record: LogRecord) -> str:
        """The snapshot that a record names; "" when it is no switch."""
        if record.key is not None:
            return ""
        try:
            name, fields = self._wiring.codec.decode(record.value)
        except Undecodable:
            return ""
        if name != SWITCH or not check(name, fields, self._wiring.settings.signing_bytes, *place):
            return ""
        switch: SwitchRecord = fields
        return switch["snapshot"]
