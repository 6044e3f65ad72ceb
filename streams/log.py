"""The contract between a stage and whoever runs it: records in, outputs out, one slice at a time."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
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
    """A record that became a dead letter. `fine_before`: valid records before it in the same slice and partition."""

    partition: int
    offset: int
    reason: DeadReason
    detail: str
    fine_before: int


class LateEvents(NamedTuple):
    """The late events of a partition in a slice.

    events: their number. The rest describes the last one. offset: its place. behind: ms between it and the watermark.
    tick: the partition's time. appended: Kafka's timestamp of it, ms."""

    events: int
    offset: int
    behind: int
    tick: int
    appended: int


@dataclass(slots=True)
class Rejects:
    """The rejects of a slice, for metrics and limits.

    dead: dead letters in log order per partition. failed_timers: customers whose timers raised an error.
    late: partition → its late events. fine: partition → events and outcomes that are not dead letters."""

    dead: list[DeadRecord] = field(default_factory=list)
    failed_timers: int = 0
    late: dict[int, LateEvents] = field(default_factory=dict)
    fine: dict[int, int] = field(default_factory=dict)


class Cause(StrEnum):
    """Why an arm did not answer with the version that it was switched to.

    UNTRAINED: it was not switched to any yet, as at the beginning. OTHER_INPUTS: the version has learnt from other
    features than the arm reads. FAILED: it raised an error. NOT_FINITE: its answer was not a finite number."""

    UNTRAINED = "untrained"
    OTHER_INPUTS = "other_inputs"
    FAILED = "failed"
    NOT_FINITE = "not_finite"


@dataclass(slots=True)
class Answered:
    """How the questions of a slice were answered, for metrics and the alarm.

    asked: target → questions. champions: target → arm. fallbacks: (target, arm, Cause) → answers that the version
    switched to did not give."""

    champions: Mapping[str, str]
    asked: dict[str, int] = field(default_factory=dict)
    fallbacks: dict[tuple[str, str, str], int] = field(default_factory=dict)


class Slice(Protocol):
    """A bounded part of a batch's work. The caller produces `outputs`, waits for all acks, then calls `commit` once."""

    @property
    def outputs(self) -> Sequence[Output]:
        """The outputs to produce, in this order per partition."""
        ...

    @property
    def positions(self) -> Mapping[TopicPartition, int]:
        """Next offset per partition, to be reported to Kafka's group once the slice is committed.

        A partition may be left out, such as a learner's until a snapshot holds its position."""
        ...

    @property
    def rejects(self) -> Rejects | None:
        """The rejects, to be counted once the slice is committed. None from a stage that rejects nothing."""
        ...

    @property
    def answered(self) -> Answered | None:
        """How questions were answered, to be counted once the slice is committed. None from a stage that asks none."""
        ...

    def commit(self) -> None:
        """Write state and positions together. The slice is final when this returns, and not before.

        Raises PositionConflict when another owner has moved the position; nothing of the partitions concerned was
        written. Raises Unavailable when the store does not answer; it may have written or not."""
        ...


class Stage(Protocol):
    """A stage: scoring, learning, judging, monitoring or history. It is synchronous, and runs in one thread at a time.

    The caller (agents.runtime.stage_runner)
    1. calls `assign` with all partitions that it owns now, and reads each from the offset returned;
    2. calls `process` with batches that continue where the last batch ended;
    3. takes one slice at a time: produces its outputs, waits for the acks, commits it, asks for the next;
    4. drops the iterator and starts at 1 again after PositionConflict or Unavailable, and at any other time.

    Every stage keeps these promises; tests/contract/test_stages.py checks them:
    - Nothing is written before `commit`. Only what the log determines, place and bytes, may be written ahead, such as a
      learner's snapshots. After the next `assign` its outputs are sent again.
    - `assign` forgets all earlier work. Work that is done again has the same bytes and the same order.
    - Outputs and state do not depend on batches, slices or the interleaving of partitions.
    - Positions do not go back: neither those that `assign` returns, nor those of slices until the next `assign`.
    - An unusable record becomes a dead letter, or is skipped and counted. It changes nothing else.

    A stage may block on its store in `assign` and `commit`, and on what it reads in `process` (store, model store,
    schema registry), each for the time-out of the client. It never waits for Kafka or for time to pass.

    It may raise PositionConflict and Unavailable, after which the caller continues. Any other exception stops the
    worker, because a person has to act: DeploymentMismatch, LogGap, BadSnapshot, or a bug."""

    topics: Sequence[str]
    batch_interval: float = 0.0
    """The minimum time between small batches, seconds, so that more records gather in each."""
    batches: int = 1
    """Number of usual batches taken as one. A stage that works by customer then handles each customer once."""
    stateless: bool = False
    """Whether it may start afresh where its positions are lost, because its outputs depend on nothing before them."""

    @property
    def failure(self) -> str:
        """Why the stage no longer does a part of its work, such as learning; "" while it does."""
        return ""

    def wants(self, partition: TopicPartition) -> bool:
        """Return whether this stage reads that partition. A learner reads one of labelled-examples."""
        ...

    def assign(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        """Forget everything; return the next offset of each of the partitions that are now owned."""
        ...

    def process(self, batch: Batch) -> Iterator[Slice]:
        """Yield the batch's work, slice by slice, computed when the caller asks. Skips records below the position."""
        ...

    def intact(self) -> bool:
        """Return whether the store still holds what was committed, or was there at `assign`. Changes nothing.

        The caller asks between batches, and calls `assign` when it does not. Raises Unavailable."""
        ...


class Emitter(Protocol):
    """Produces outputs in order per partition. Returns when every broker ack is in. Raises Unavailable."""

    def assign(self, partitions: Sequence[TopicPartition]) -> None:
        """Take over these source partitions. Called before the stage loads their positions."""
        ...

    def emit(self, outputs: Sequence[Output]) -> None:
        """Produce and wait for the acks. Raises PositionConflict when another owner of their partitions has taken
        over."""
        ...
