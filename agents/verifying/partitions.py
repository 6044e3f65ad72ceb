"""Verifies any stage that keeps one value per partition by replay: that value, and the stage's outputs."""

from collections.abc import Iterator, Sequence

from agents.stages import StageRow
from agents.verifying.finding import Finding
from agents.verifying.live import Live
from agents.verifying.outputs import Outputs
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
        self._outputs = Outputs(live.codec, row.topics)

    def wants(self, place: TopicPartition) -> bool:
        """See Check: its inputs and its outputs."""
        return place in self._places or place.topic in self._row.outputs

    def feed(self, place: TopicPartition, records: Sequence[Record]) -> None:
        """See Check."""
        if place.topic in self._row.outputs:
            self._outputs.read(place, records)
        if place in self._places:
            for slice_ in self._stage.process({place: records}):
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
        if live == calm:
            return
        at = [str(kept[0]) if kept else "the beginning" for kept in (live, calm)]
        where = f"{name} of {place.topic}[{place.partition}]"
        if calm is not None and (live is None or live[0] < calm[0]):
            finding.lags(f"{where} stands at {at[0]}, records up to {at[1]} are left")
        else:
            finding.differs(f"{where}: state at {at[0]}, the replay's at {at[1]}, differs")
