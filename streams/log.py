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
    """A bounded part of a batch's work. The caller produces `outputs`, waits for all acks, then calls `commit` once."""

    @property
    def outputs(self) -> Sequence[Output]:
        """What to produce, in this order per partition."""
        ...

    @property
    def positions(self) -> Mapping[TopicPartition, int]:
        """Next offset per partition, for Kafka's group, once the slice is committed. A partition may be left out (a
        learner's, until a snapshot holds its position)."""
        ...

    @property
    def rejects(self) -> Rejects | None:
        """For whoever counts, once the slice is committed. None from a stage that rejects nothing."""
        ...

    def commit(self) -> None:
        """Write state and positions together. The slice is final when this returns, and not before.

        PositionConflict: another owner has moved the position; nothing of the partitions concerned was written.
        Unavailable: the store does not answer, and may have written or not."""
        ...


class Stage(Protocol):
    """One verb: scoring, learning, judging, monitoring, history. Synchronous, run by one thread at a time.

    The caller (agents.runtime.stage_runner)
    1. calls `assign` with all partitions that it owns now, and reads each from the offset returned;
    2. calls `process` with batches that go on where the last batch ended;
    3. takes one slice at a time: produces its outputs, waits for the acks, commits it, asks for the next;
    4. drops the iterator and begins at 1 again after PositionConflict or Unavailable, and whenever it likes.

    Every stage promises, and tests/contract/test_stages.py shows:
    - Nothing is written before `commit`. A stage may write ahead only what the log determines, place and bytes (a
      learner's snapshots); after the next `assign` it puts out again what belongs to it.
    - `assign` forgets all that was computed before. What is computed again has the same bytes and the same order.
    - Batches, slices and the interleaving of partitions leave no trace in outputs and state.
    - Positions do not go back: neither those that `assign` returns, nor those of slices until the next `assign`.
    - A record that it cannot use becomes a dead letter, or is skipped and counted. It changes nothing else.

    It may block in `assign` and `commit` on its store, in `process` on what it reads (store, model store, schema
    registry), each for its client's timeout. It never waits for Kafka or for time to pass.

    It may raise PositionConflict and Unavailable, after which the caller goes on. Any other exception stops the
    worker, because a person has to act: DeploymentMismatch, LogGap, BadSnapshot, or a fault of the code."""

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
        """Forget everything and load the positions of the partitions now owned: next offset each."""
        ...

    def process(self, batch: Batch) -> Iterator[Slice]:
        """The batch's work, slice by slice. Nothing is computed before the caller asks for it. Records below the
        position are passed over."""
        ...


class Emitter(Protocol):
    """Produces outputs in order per partition; returns when every broker ack is in; raises Unavailable."""

    def assign(self, partitions: Sequence[TopicPartition]) -> None:
        """From now on outputs are caused by these partitions. Called before the stage loads their positions."""
        ...

    def emit(self, outputs: Sequence[Output]) -> None:
        """Produce and wait for the acks. PositionConflict when another owner of their partitions has taken over."""
        ...
