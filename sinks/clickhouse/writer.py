"""Inserts rows into tables, by column, one insert per table. It does not know what rows mean."""

from collections.abc import Mapping, Sequence
from typing import Any

from sinks.clickhouse.client import clear_errors
from sinks.clickhouse.columns import COLUMNS
from sinks.clickhouse.rows import Row
from sinks.failpoints import ROWS_PARTLY, partly

POSITION_COLUMNS = ("stage", "topic", "log_epoch", "log_partition", "next_offset", "recorded_at")


class Writer:
    """Inserts over one client, from one thread. Raises Unavailable and SettingError.

    After Unavailable, rows may have been written all the same. The tables' engine makes that harmless."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.started = False
        """Whether positions have been written."""
        self._types: dict[str, Sequence[Any]] = {}

    def write(self, rows: Mapping[str, Sequence[Row]]) -> None:
        """Insert rows per table; their values have the order of COLUMNS."""
        tables = [table for table in COLUMNS if rows.get(table)]

        def insert(some: Sequence[str]) -> None:
            for table in some:
                self._insert(table, COLUMNS[table], rows[table])

        insert(partly(ROWS_PARTLY, tables, insert))

    def write_positions(self, rows: Sequence[Row]) -> None:
        """Insert positions, in the order of POSITION_COLUMNS, after all rows before them are written."""
        self._insert("positions_raw", POSITION_COLUMNS, rows)

    def positions(self, stage: str, epoch: int) -> dict[tuple[str, int], int]:
        """Return the next offset per topic and partition that the stage wrote in this log epoch."""
        with clear_errors():
            found = self._client.query(
                "SELECT topic, log_partition, max(next_offset) FROM positions_raw "
                "WHERE stage = {stage:String} AND log_epoch = {epoch:Int64} GROUP BY topic, log_partition",
                parameters={"stage": stage, "epoch": epoch},
            )
        return {(topic, partition): offset for topic, partition, offset in found.result_rows}

    def knows(self, stage: str, epoch: int) -> bool:
        """Return whether the stage has written any position in this log epoch."""
        with clear_errors():
            found = self._client.query(
                "SELECT 1 FROM positions_raw WHERE stage = {stage:String} AND log_epoch = {epoch:Int64} LIMIT 1",
                parameters={"stage": stage, "epoch": epoch},
            )
        return bool(found.result_rows)

    def _insert(self, table: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
        with clear_errors():
            if table not in self._types:  # asked once; the client would ask the server before every insert
                context = self._client.create_insert_context(table, column_names=columns)
                self._types[table] = context.column_types
            self._client.insert(
                table,
                list(zip(*rows, strict=True)),
                column_names=columns,
                column_types=self._types[table],
                column_oriented=True,
            )
