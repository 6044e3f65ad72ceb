"""Verifies history: compares the rows that follow from the logs with the physical rows in ClickHouse."""

from collections.abc import Iterator, Sequence

from agents.stages import StageRow
from agents.verifying.finding import Finding
from agents.verifying.live import Live
from agents.verifying.rows import Compared
from agents.verifying.tables import Range, Table
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
from sinks.clickhouse.client import READING, connect
from sinks.clickhouse.columns import COLUMNS, view_of
from sinks.clickhouse.rows import RecordPlace, Row, Rows, rows_of, undecodable_rows
from sinks.clickhouse.writer import Writer
from streams.errors import Undecodable
from streams.log import Record, TopicPartition

CHUNK = 20_000
"""Records of a topic that are compared together."""
BEFORE, BEHIND = -(1 << 62), 1 << 62
"""An offset beyond every record, so that the last comparison covers all physical rows."""
TABLES = {
    CUSTOMER_EVENTS: ("records_raw", "events_by_kind_raw", "outcomes_raw", "controls_raw"),
    PREDICTIONS: ("predictions_raw", "progress_raw"),
    LABELLED_EXAMPLES: ("labelled_examples_raw", "progress_raw", "controls_raw"),
    MODEL_METRICS: ("model_metrics_raw",),
    DRIFT_ALERTS: ("drift_alerts_raw",),
    FEATURE_PROFILES: ("feature_profiles_raw",),
    LATE_EVENTS: ("late_events_raw",),
    DEAD_LETTERS: ("dead_letters_raw",),
}
"""Topic → the tables that hold its rows."""


class _Chunk:
    """Collects records of a topic for a comparison: their rows, and their ranges of offsets."""

    def __init__(self, topic: str, tables: Sequence[Compared]) -> None:
        self._topic = topic
        self._tables = tables
        self._rows: dict[str, list[Row]] = {}
        self._ranges: list[Range] = []
        self._records = 0
        self._start = BEFORE

    def add(self, place: TopicPartition, offset: int, rows: Rows) -> None:
        """Add the next record of a partition."""
        if self._records >= CHUNK:
            self._until(place, offset)
            self.compare()
        for table, row in rows:
            self._rows.setdefault(table, []).append(row)
        self._records += 1

    def end(self, place: TopicPartition, offset: int) -> None:
        """Mark all rows of the partition below this offset as collected."""
        self._until(place, offset)
        self._start = BEFORE

    def _until(self, place: TopicPartition, offset: int) -> None:
        self._ranges.append(Range(place.partition, self._start, offset))
        self._start = offset

    def compare(self) -> None:
        """Return the collected records, and start again."""
        for compared in self._tables:
            compared.compare(self._topic, self._rows.get(compared.table.name, []), self._ranges)
        self._rows, self._ranges, self._records = {}, [], 0


class HistoryCheck:
    """Checks every table of the history, row by row and column by column."""

    def __init__(self, live: Live, row: StageRow) -> None:
        self._live = live
        epoch = live.deployment.epoch
        client = connect(live.settings.clickhouse_database, READING, **live.settings.clickhouse())
        self._positions = Writer(client).positions(row.name, epoch)
        self._reached = Finding(f"{row.name}/positions", "positions of the history")
        views = {name: view_of(name) for name in COLUMNS}
        self._tables = {
            name: Compared(
                Table(name, epoch, client),
                Finding(f"{row.name}/{view}", f"{row.state} of {view}", repetition="merged with others of their key"),
            )
            for name, view in views.items()
        }
        self._chunks = {topic: _Chunk(topic, [self._tables[name] for name in names]) for topic, names in TABLES.items()}
        self._waiting = 0

    def wants(self, place: TopicPartition) -> bool:
        """See Check: every topic that history reads."""
        return place.topic in TABLES

    def feed(self, place: TopicPartition, records: Sequence[Record]) -> None:
        """See Check."""
        position, chunk = self._position(place), self._chunks[place.topic]
        for record in records:
            if record.offset < position:
                chunk.add(place, record.offset, self._rows(place, record))
            else:
                self._waiting += 1

    def end(self, place: TopicPartition) -> None:
        """See Check."""
        position = self._position(place)
        self._reached.compared += 1
        self._reached.left += self._waiting
        if self._waiting and not position:
            where = f"{place.topic}[{place.partition}]: history has no position"
            self._reached.lags(f"{where}, and {self._waiting} records are left")
        self._chunks[place.topic].end(place, position if self._waiting else BEHIND)
        self._waiting = 0

    def findings(self) -> Iterator[Finding]:
        """See Check."""
        for topic, chunk in self._chunks.items():
            chunk.compare()
            partitions = len(self._live.places(topic))
            for name in TABLES[topic]:
                self._tables[name].look_for_strangers(topic, partitions)
        yield self._reached
        for compared in self._tables.values():
            compared.look_for_missing()
            yield compared.finding

    def _position(self, place: TopicPartition) -> int:
        return self._positions.get((place.topic, place.partition), 0)

    def _rows(self, place: TopicPartition, record: Record) -> Rows:
        """Return a record's rows as the history makes them."""
        at = RecordPlace(place.topic, self._live.deployment.epoch, place.partition, record.offset, record.timestamp)
        try:
            name, fields = self._live.codec.decode(record.value)
        except Undecodable:
            return undecodable_rows(at)
        return rows_of(at, name, fields)
