"""The contract between a stage and whoever runs it: records in, outputs out, one slice at a time."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from schemas.records import CoordinateRecord
from streams.errors import DeadReason


class LogRecord(Protocol):
    """One record as it lies in a partition (aiokafka's ConsumerRecord fits)."""

    @property
    def offset(self) -> int:
        """Its place in the partition."""
        ...

    @property
    def timestamp(self) -> int:
        """Kafka's timestamp, ms."""
        ...

    @property
    def key(self) -> bytes | None:
        """A customer id in UTF-8; None for controls."""
        ...

    @property
    def value(self) -> bytes | None:
        """Registry-framed Avro."""
        ...


class Record(NamedTuple):
    """A plain LogRecord, for replay and tests; `timestamp` is Kafka's, in ms."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None


class TopicPartition(NamedTuple):
    """A partition of a topic."""

    topic: str
    partition: int


Batch = Mapping[TopicPartition, Sequence[LogRecord]]
"""Records per partition, each in log order and without gaps that matter (compaction, aborted)."""


class Output(NamedTuple):
    """A record to produce, always to an explicit partition; `value` is registry-framed Avro. `source` is the coordinate
    that the record carries; None for ticks and commands, which may come twice."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes
    source: CoordinateRecord | None = None


class DeadRecord(NamedTuple):
    """A record that became a dead letter; `fine_before`: fine ones before it in the same slice and partition."""

    partition: int
    offset: int
    reason: DeadReason
    detail: str
    fine_before: int


@dataclass(slots=True)
class Rejects:
    """What one slice set rejects, for whoever counts.

    dead: in log order per partition. failed_timers: customers whose timers raised an error. late: late events.
    fine: events and outcomes that are no dead letters, per partition."""

    dead: list[DeadRecord] = field(default_factory=list)
    failed_timers: int = 0
    late: int = 0
    fine: dict[int, int] = field(default_factory=dict)


class Slice(Protocol):
    """A bounded part of a batch's work: produce `outputs`, wait for all acks, then call `commit` once.

    `commit` writes state and positions together by compare-and-set. It raises PositionConflict when
    another owner was there, Unavailable when the store is away. `positions` are the next offsets to
    tell Kafka after the commit. `rejects`: None from a stage that sets nothing rejects."""

    @property
    def outputs(self) -> Sequence[Output]:
        """What to produce, in this order per partition."""
        ...

    @property
    def positions(self) -> Mapping[TopicPartition, int]:
        """Next offset per partition, for Kafka's group."""
        ...

    @property
    def rejects(self) -> Rejects | None:
        """For whoever counts, once it is committed."""
        ...

    def commit(self) -> None:
        """Write state and positions."""
        ...


class Stage(Protocol):
    """One verb: scoring, learning, judging, monitoring, history. Synchronous, run by one thread at a time.

    The shell calls `assign` with all partitions now owned and reads from the offsets returned; calls
    `process` with batches that start at these offsets; produces and commits each slice before it asks
    for the next. After PositionConflict or Unavailable it drops the iterator, calls `assign` again,
    seeks and goes on, so nothing of a failed slice may linger. Any other exception stops the worker."""

    topics: Sequence[str]
    batch_interval: float = 0.0
    """How far apart small batches should be at least, so that more records gather in each."""
    batches: int = 1
    """How many of the usual batches it takes as one: those whose work is by customer do a customer's once."""
    stateless: bool = False
    """Whether it may begin afresh where its positions are lost: its outputs depend on nothing before them."""

    def wants(self, partition: TopicPartition) -> bool:
        """Whether this stage reads that partition at all (a learner reads one of labelled-examples)."""
        ...

    def assign(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        """Load positions for the partitions now owned (dropping all that is cached): next offset each."""
        ...

    def process(self, batch: Batch) -> Iterator[Slice]:
        """The batch's work, slice by slice."""
        ...


class Emitter(Protocol):
    """Produces outputs in order per partition; returns when every broker ack is in; raises Unavailable."""

    def assign(self, partitions: Sequence[TopicPartition]) -> None:
        """From now on outputs are caused by these partitions. Called before the stage loads their positions."""
        ...

    def emit(self, outputs: Sequence[Output]) -> None:
        """Produce and wait for the acks. PositionConflict when another owner of their partitions has taken over."""
        ...
