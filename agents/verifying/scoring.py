"""Verifies scoring by replay: customers' states, outputs, and the accounting of published records."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from agents.stages import StageRow
from agents.verifying.finding import Finding
from agents.verifying.live import Live
from agents.verifying.outputs import Outputs
from schemas.records import TICK
from schemas.topics import CUSTOMER_EVENTS
from streams.control import check
from streams.errors import NoSnapshot, Undecodable
from streams.features.customer_state import agree
from streams.log import Record, TopicPartition
from streams.scoring.intake import CONTROLS, tick_fault
from streams.scoring.stage import Scoring
from streams.state.compare import differences
from streams.state.memory import MemoryScoringStore
from streams.timeline import PartitionHeader

FATES = ("accepted", "duplicate", "late", "dead")
"""The counters that add up to the published records."""


@dataclass
class ReplayedPartition:
    """A partition of customer-events that is replayed up to scoring's position."""

    stage: Scoring
    store: MemoryScoringStore
    end: int
    header: PartitionHeader
    published: int = 0
    controls: int = 0
    waiting: int = 0
    broken: bool = False


class ScoringCheck:
    """Checks features, open observations, timers and counters; predictions, examples, late events and dead letters;
    and that all published records are accounted for."""

    def __init__(self, live: Live, row: StageRow) -> None:
        """Read scoring's positions."""
        self.live = live
        self.row = row
        self.state = Finding(f"{row.name}/state", row.state)
        what = "published = accepted + duplicate + late + dead"
        self.accounting = Finding(f"{row.name}/accounting", what, repetition="duplicates")
        self._positions = live.scoring_store.positions(range(live.deployment.partitions))
        self._replayed: dict[int, ReplayedPartition] = {}
        self._customers: Mapping[int, Sequence[str]] | None = None
        ends = {TopicPartition(CUSTOMER_EVENTS, number): found for number, (found, _) in self._positions.items()}
        self._outputs = Outputs(live.codec, row.topics, ends)

    def wants(self, place: TopicPartition) -> bool:
        """See Check: the topics that scoring reads and writes."""
        return place.topic == CUSTOMER_EVENTS or place.topic in self.row.outputs

    def feed(self, place: TopicPartition, records: Sequence[Record]) -> None:
        """See Check."""
        if place.topic != CUSTOMER_EVENTS:
            self._outputs.read(place, records)
            return
        part = self._part(place)
        read = [record for record in records if record.offset < part.end]
        for record in read:
            if self._is_control(place, record):
                part.controls += 1
            else:
                part.published += 1
        part.waiting += sum(record.key is not None for record in records if record.offset >= part.end)
        if part.broken:
            return
        try:
            for slice_ in part.stage.process({place: read}):
                self._outputs.expect(place, slice_.outputs)
                slice_.commit()
        except NoSnapshot as error:
            part.broken = True
            self.state.differs(f"partition {place.partition} cannot be replayed any further: {error}")

    def end(self, place: TopicPartition) -> None:
        """See Check."""
        if place.topic != CUSTOMER_EVENTS:
            return
        part = self._part(place)
        if part.broken:
            return
        if self._customers is None:  # after scoring's logs are read: one scan of Redis for all partitions
            self._customers = self.live.scoring_store.customers(range(self.live.deployment.partitions))
        self.state.compared += len(part.store.customers([place.partition])[place.partition])
        known = self._customers.get(place.partition, ())
        for difference in differences(self.live.scoring_store, part.store, place.partition, known, agree):
            self.state.differs(difference)
        self.state.left += part.waiting  # records of customers only: time may have passed since scoring stopped
        if part.waiting and place.partition not in self._positions:
            where = f"partition {place.partition}: scoring has no position"
            self.state.lags(f"{where}, and {part.waiting} records of customers are left")
        self._account(place.partition, part)
        del self._replayed[place.partition]

    def findings(self) -> Iterator[Finding]:
        """See Check."""
        yield self.state
        yield self.accounting
        yield self._outputs.finding(f"{self.row.name}/outputs", f"{self.row.results} by id")

    def _part(self, place: TopicPartition) -> ReplayedPartition:
        part = self._replayed.get(place.partition)
        if part is None:
            live, store = self.live, MemoryScoringStore()
            deployment = live.deployment.alone()
            stage = Scoring(live.use_case, deployment, store, live.codec, live.models, live.keys)
            stage.assign([place])
            position, packed = self._positions.get(place.partition, (None, PartitionHeader().pack()))
            end = position.offset if position else 0
            part = self._replayed[place.partition] = ReplayedPartition(
                stage, store, end, PartitionHeader.unpack(packed)
            )
        return part

    def _is_control(self, place: TopicPartition, record: Record) -> bool:
        """Return whether a control record is ours, judged independently of scoring. Any other one is a dead letter."""
        if record.key is not None or (place.partition, record.offset) in self.live.deployment.skips:
            return False
        try:
            name, fields = self.live.codec.decode(record.value)
        except Undecodable:
            return False
        if name not in CONTROLS or not check(name, fields, self.live.keys, *place):
            return False
        return name != TICK or not tick_fault(fields, record.timestamp, self.live.use_case.clock == "wall")

    def _account(self, partition: int, part: ReplayedPartition) -> None:
        counters = part.header.counters
        self.accounting.compared += part.published
        self.accounting.repeated += counters["duplicate"]
        if part.published != sum(counters[fate] for fate in FATES):
            told = " + ".join(f"{counters[fate]} {fate}" for fate in FATES)
            self.accounting.differs(f"partition {partition}: {part.published} published, but {told} counted")
        if part.controls != counters["controls"]:
            counted = f"{part.controls} control records, but {counters['controls']} counted"
            self.accounting.differs(f"partition {partition}: {counted}")
