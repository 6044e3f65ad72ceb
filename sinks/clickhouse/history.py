"""History: writes every topic to ClickHouse, rows first, then the positions to resume from."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from schemas.topics import (
    CUSTOMER_EVENTS,
    DEAD_LETTERS,
    DRIFT_ALERTS,
    FEATURE_PROFILES,
    LABELLED_EXAMPLES,
    LATE_EVENTS,
    MODEL_METRICS,
    PREDICTIONS,
)
from sinks.clickhouse.client import NoTable
from sinks.clickhouse.migrate import migrate
from sinks.clickhouse.rows import RecordPlace, Row, rows_of, undecodable_rows
from sinks.clickhouse.writer import Writer
from sinks.failpoints import ROWS, hit
from streams.avro.codec import Codec
from streams.errors import Unavailable, Undecodable
from streams.log import Batch, LogRecord, Output, Stage, TopicPartition

STAGE = "history"
SLICE_RECORDS = 50_000


@dataclass
class HistorySlice:
    """Rows of up to SLICE_RECORDS records.

    `commit` may be repeated, and may fail half-way: rows that are written twice collapse, and positions come last."""

    epoch: int
    writer: Writer
    rows: dict[str, list[Row]] = field(default_factory=dict)
    positions: dict[TopicPartition, int] = field(default_factory=dict)
    recorded: dict[TopicPartition, int] = field(default_factory=dict)
    records: int = 0
    outputs: Sequence[Output] = ()
    rejects: ClassVar[None] = None
    answered: ClassVar[None] = None

    def add(self, partition: TopicPartition, place: RecordPlace, rows: Sequence[tuple[str, Row]]) -> None:
        """Add the rows of a record, which is the last one of its partition so far."""
        for table, row in rows:
            self.rows.setdefault(table, []).append(row)
        self.positions[partition] = place.offset + 1
        self.recorded[partition] = place.placed[-1]
        self.records += 1

    def commit(self) -> None:
        """Insert once per table, then once for the positions. Raises Unavailable while ClickHouse is away."""
        try:
            self._write()
        except NoTable as error:
            raise Unavailable(f"{error} The worker makes the tables again and fills them from the log.") from error

    def _write(self) -> None:
        self.writer.write(self.rows)
        hit(ROWS)
        self.writer.write_positions(
            [
                (STAGE, at.topic, self.epoch, at.partition, offset, self.recorded[at])
                for at, offset in self.positions.items()
            ]
        )
        self.writer.started = True


class History(Stage):
    """The stage that reads all topics. It stops at no record: unreadable ones are counted in `skipped`."""

    topics: Sequence[str] = (
        CUSTOMER_EVENTS,
        PREDICTIONS,
        LABELLED_EXAMPLES,
        MODEL_METRICS,
        DRIFT_ALERTS,
        FEATURE_PROFILES,
        LATE_EVENTS,
        DEAD_LETTERS,
    )
    batch_interval = 1.0  # many tiny inserts cost ClickHouse too many merges
    stateless = True  # an emptied ClickHouse is filled again from the records that the log keeps

    def __init__(
        self,
        client_factory: Callable[[], Any],
        codec: Codec,
        epoch: int,
        slice_records: int = SLICE_RECORDS,
        owns: Callable[[str, int], bool] = lambda topic, partition: True,
    ) -> None:
        """`client_factory` connects; its client's `database` holds the tables. `epoch`: log epoch of the topics.

        `owns`: whether a partition of a topic was deployed. History ignores others, as all stages do."""
        self._client_factory = client_factory
        self._codec = codec
        self._epoch = epoch
        self._slice_records = slice_records
        self._owns = owns
        self._writer: Writer | None = None
        self.skipped: Counter[str] = Counter()
        """Number of records per topic that were unreadable or do not belong there."""

    def wants(self, partition: TopicPartition) -> bool:
        """Return whether to read a partition: all that were deployed."""
        return partition.topic in self.topics and self._owns(*partition)

    def assign(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        """Connect again, run missing migrations and read the positions; a partition without one starts at 0."""
        self._writer = None
        client = self._client_factory()
        migrate(client, client.database)
        self._writer = Writer(client)
        known = self._writer.positions(STAGE, self._epoch)
        self._writer.started = bool(known)
        return {at: known.get((at.topic, at.partition), 0) for at in partitions if self.wants(at)}

    def intact(self) -> bool:
        """See Stage.intact. Emptied or dropped tables are made and filled again after the next `assign`."""
        writer = self._writer
        return writer is not None and (not writer.started or writer.knows(STAGE, self._epoch))

    def process(self, batch: Batch) -> Iterator[HistorySlice]:
        """Yield slices of the batch, partition by partition, each in log order."""
        if self._writer is None:
            raise RuntimeError("assign comes before process")
        self._codec.begin_batch()
        part = HistorySlice(self._epoch, self._writer)
        for at, records in batch.items():
            for record in records:
                place = RecordPlace(at.topic, self._epoch, at.partition, record.offset, record.timestamp)
                part.add(at, place, self._rows(place, record))
                if part.records >= self._slice_records:
                    yield part
                    part = HistorySlice(self._epoch, self._writer)
        if part.records:
            yield part

    def _rows(self, place: RecordPlace, record: LogRecord) -> Sequence[tuple[str, Row]]:
        try:
            name, fields = self._codec.decode(record.value)
        except Undecodable:
            self.skipped[place.topic] += 1
            return undecodable_rows(place)
        rows = rows_of(place, name, fields)
        if not rows:
            self.skipped[place.topic] += 1
        return rows
