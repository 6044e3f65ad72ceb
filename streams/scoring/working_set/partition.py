"""The work of a slice in one partition. Only `emit` adds outputs."""

from typing import Any

from schemas.records import CoordinateRecord
from streams.features.plan import FeaturePlan
from streams.identity import Position
from streams.log import Output, TopicPartition
from streams.scoring.working_set.agenda import Agenda
from streams.scoring.working_set.answer_counts import AnswerCounts
from streams.scoring.working_set.customer import CustomerWork
from streams.state.store import CustomerBytes, PartitionCommit
from streams.timeline import PartitionHeader

_output = tuple.__new__
"""Builds an Output, once per prediction, in half the time that its class takes."""


class PartitionWork:
    """The work of a slice in one partition.

    place      topic, epoch, partition
    position   expected (as stored), offset and ordinal (of the record in hand); `begin` and `end` move them
    time       header: clock, versions served, counters; `count` counts; answers: questions and fallbacks
    customers  packed (as stored), customers (unpacked), agenda (their timers)
    outputs    what to produce; `emit` adds to them"""

    __slots__ = (
        *("topic", "epoch", "partition"),
        *("expected", "offset", "ordinal"),
        *("header", "packed", "customers", "agenda", "serving_sets", "answers", "outputs"),
    )

    def __init__(
        self,
        topic: str,
        epoch: int,
        partition: int,
        expected: Position | None,
        header: PartitionHeader,
    ) -> None:
        """`expected`: the stored position, where the work continues; None for a partition never committed."""
        self.topic = topic
        self.epoch = epoch
        self.partition = partition
        self.expected = expected
        self.offset, self.ordinal = expected or Position(0)
        self.header = header
        self.packed: dict[str, CustomerBytes] = {}
        """Customers that this slice can open, in their stored form."""
        self.customers: dict[str, CustomerWork] = {}
        """Customers that this slice has opened."""
        self.agenda = Agenda(self.customers)
        self.serving_sets: dict[int, list[Any]] = {}
        """Target index → its serving set (streams.scoring.serving_set), as of the current record."""
        self.answers = AnswerCounts()
        self.outputs: list[Output] = []
        """In order per partition. Only `emit` adds to them."""

    @property
    def place(self) -> TopicPartition:
        """The partition."""
        return TopicPartition(self.topic, self.partition)

    def begin(self, offset: int) -> None:
        """Start a record. Its outputs count from 0, or continue where the last slice ended within it."""
        if offset != self.offset:
            self.offset, self.ordinal = offset, 0

    def pause(self) -> None:
        """End the slice within the current record. The skipped ordinal advances the position even without outputs."""
        self.ordinal += 1

    def end(self) -> None:
        """End the current record."""
        self.offset += 1
        self.ordinal = 0

    def next_source(self) -> CoordinateRecord:
        """Return the coordinate, as a record, of the current record's next output. Exactly one output carries it."""
        source: CoordinateRecord = {
            "topic": self.topic,
            "epoch": self.epoch,
            "partition": self.partition,
            "offset": self.offset,
            "ordinal": self.ordinal,
        }
        self.ordinal += 1
        return source

    def id_of(self, source: CoordinateRecord) -> str:
        """Return the id of a coordinate (streams.identity.Coordinate.id)."""
        return f"{self.epoch}.{self.partition}.{self.offset}.{source['ordinal']}"

    def emit(self, topic: str, partition: int, key: bytes | None, value: bytes, source: CoordinateRecord) -> None:
        """Add an output; `value` carries `source`, which `next_source` returned."""
        self.outputs.append(_output(Output, (topic, partition, key, value, source)))

    def count(self, counter: str, number: int = 1) -> None:
        """Add to one of streams.timeline.COUNTERS."""
        self.header.counters[counter] += number

    def forget_serving_sets(self) -> None:
        """Build the serving sets again, because a switch has changed them."""
        self.answers.end()
        self.serving_sets.clear()

    def changes(self, plan: FeaturePlan, lateness: int) -> PartitionCommit:
        """Return all changes, packed. Called once, at the end of the slice."""
        self.answers.end()
        self.header.count_answers(self.answers.asked, self.answers.fallbacks)
        first = self.header.retained
        commit = PartitionCommit(self.partition, self.expected, Position(self.offset, self.ordinal), self.header.pack())
        for customer_id, work in self.customers.items():
            if work.state_changed:
                commit.states[customer_id] = plan.stored.pack(work.state, first)
            if work.observations_changed:
                commit.observations[customer_id] = work.observations.pack()
            if work.state_changed or work.observations_changed:
                due = work.next_due(lateness)
                if due != work.timer:
                    commit.timers[customer_id] = due
        return commit
