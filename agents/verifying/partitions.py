"""Verifies any stage that keeps one value per partition by replay: that value, and the stage's outputs.

The replay goes as far as the stage has come. Workers do not stop all at the same record."""

from collections.abc import Iterator, Sequence

from agents.stages import StageRow
from agents.verifying.finding import Finding
from agents.verifying.live import Live
from agents.verifying.outputs import Outputs
from streams.identity import Position
from streams.log import Record, TopicPartition
from streams.state.memory import MemoryStageStore


class PartitionsCheck:
    """Checks a stage with Store.PARTITIONS."""

    def __init__(self, live: Live, row: StageRow) -> None:
        self._live = live
        self._row = row
        self._empty = MemoryStageStore()
        replayed = live.with_stores(stage_store=self._empty)
        replayed.deployment = live.deployment.alone()
        self._stage = row.build(replayed)[row.group]
        self._places = [place for topic in row.topics for place in live.places(topic) if self._stage.wants(place)]
        self._stage.assign(self._places)
        found = {place: live.stage_store.position(row.name, *place) for place in self._places}
        self._ends = {place: position or Position(0) for place, position in found.items()}
        self._left = dict.fromkeys(self._places, 0)
        self._outputs = Outputs(live.codec, row.topics, self._ends)

    def wants(self, place: TopicPartition) -> bool:
        """See Check: its inputs and its outputs."""
        return place in self._places or place.topic in self._row.outputs

    def feed(self, place: TopicPartition, records: Sequence[Record]) -> None:
        """See Check."""
        if place.topic in self._row.outputs:
            self._outputs.read(place, records)
        if place in self._places:
            read = [record for record in records if record.offset < self._ends[place].offset]
            self._left[place] += len(records) - len(read)
            for slice_ in self._stage.process({place: read}):
                self._outputs.expect(place, slice_.outputs)
                slice_.commit()

    def end(self, place: TopicPartition) -> None:
        """See Check."""

    def findings(self) -> Iterator[Finding]:
        """See Check."""
        state = Finding(f"{self._row.name}/state", self._row.state)
        for place in self._places:
            self._compare(state, place)
        yield state
        yield self._outputs.finding(f"{self._row.name}/outputs", f"{self._row.results} by id")

    def _compare(self, finding: Finding, place: TopicPartition) -> None:
        name = self._row.name
        live, calm = (store.read(name, *place) for store in (self._live.stage_store, self._empty))
        finding.compared += 1
        finding.left += self._left[place]
        where = f"{name} of {place.topic}[{place.partition}]"
        if live is None and self._left[place]:
            finding.lags(f"{where} has no position, and {self._left[place]} records are left")
        elif live != calm:
            at = [str(kept[0]) if kept else "the beginning" for kept in (live, calm)]
            finding.differs(f"{where}: state at {at[0]}, the replay's at {at[1]}, differs")
