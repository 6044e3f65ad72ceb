"""Compares the physical rows of a table with those that follow from the logs.

Every physical row must be the row of the record at its place, byte for byte. A row may be missing only where ClickHouse
has merged it with the row of the same key that is to be kept, or where its retention is over."""

import time
from dataclasses import dataclass, field

from agents.verifying.finding import SHOWN, Finding
from agents.verifying.tables import PhysicalRow, Range, Table
from sinks.clickhouse.rows import Row

MISSING = 50_000
"""This many missing rows are looked up together."""
LAST_WINS = {"progress_raw"}
"""Tables that keep the latest row of a key; the others keep the first."""
DAY_MS = 86_400_000


@dataclass
class Compared:
    """The comparison of one table, with the rows that must have been merged away: (key, partition, offset, row)."""

    table: Table
    finding: Finding
    missing: list[tuple[int, int, int, Row]] = field(default_factory=list)

    def compare(self, topic: str, rows: list[Row], ranges: list[Range]) -> None:
        """Compare the rows that follow from the log with the rows stored for the offsets in `ranges`."""
        expected = {self.table.found(row): row for row in rows}
        stored = self.table.stored(topic, ranges)
        self.finding.compared += len(expected)
        if stored == expected.keys():
            return
        changed = self._strangers(topic, sorted(stored - expected.keys()), expected)
        for found in sorted(expected.keys() - stored):
            row = expected[found]
            if (found.partition, found.offset, self.table.key_of(row)) not in changed:
                self.missing.append((self.table.key_of(row), found.partition, found.offset, row))
        if len(self.missing) >= MISSING:
            self.look_for_missing()

    def _strangers(
        self, topic: str, strangers: list[PhysicalRow], expected: dict[PhysicalRow, Row]
    ) -> set[tuple[int, int, int]]:
        """Report physical rows that the log does not have; return (partition, offset, key) of rows that differ."""
        at: dict[tuple[int, int], list[Row]] = {}
        for found in strangers:
            at[found.partition, found.offset] = []
        for found, row in expected.items() if at else ():
            if (found.partition, found.offset) in at:
                at[found.partition, found.offset].append(row)
        changed: set[tuple[int, int, int]] = set()
        for found in strangers:
            rows = at[found.partition, found.offset]
            if self.finding.differing >= SHOWN:
                self.finding.differs("")
                changed.update((found.partition, found.offset, self.table.key_of(row)) for row in rows)
                continue
            like = self._told(topic, found, rows)
            if like is not None:
                changed.add((found.partition, found.offset, self.table.key_of(like)))
        return changed

    def _told(self, topic: str, found: PhysicalRow, rows: list[Row]) -> Row | None:
        """Report how a physical row differs from the most similar row of the log."""
        table = self.table
        packed, shown = table.contents(topic, found)
        where = f"offset {found.offset} of {topic}[{found.partition}]"
        if not packed:
            self.finding.differs(f"{table.view}: a row of {where} appeared and disappeared during the comparison")
            return None
        if not rows:
            id = " ".join(shown[index] for _, _, index in table.key)
            self.finding.differs(f"{table.view} {id}: {where} has no such row")
            return None

        def wrong(row: Row) -> list[int]:
            return [i for i, pack in enumerate(table.packers) if pack(row[i]) != packed[i]]

        row = min(rows, key=lambda row: len(wrong(row)))
        for i in wrong(row):
            column = table.columns[i]
            self.finding.differs(f"{table.name_of(row)}: {column} is {shown[i]}, {where} gives {row[i]!r}")
        return row

    def look_for_strangers(self, topic: str, partitions: int) -> None:
        """Report rows of partitions that do not exist."""
        found = self.table.strangers(topic, partitions)
        if found:
            self.finding.differs(f"{self.table.view}: {found} rows of partitions that {topic} does not have")

    def look_for_missing(self) -> None:
        """Check that every missing row was replaced by one of the same key."""
        kept = self.table.kept(dict.fromkeys(key for key, _, _, _ in self.missing))
        for key, partition, offset, row in self.missing:
            place = (self.table.epoch, partition, offset)
            if any(self._wins(other, place) for other in kept.get(key, ())):
                self.finding.repeated += 1
            elif not self._expired(row):
                what = f"offset {offset} of partition {partition}"
                self.finding.differs(f"{self.table.name_of(row)}: the row of {what} is not in the table")
        self.missing.clear()

    def _wins(self, kept: tuple[int, int, int], merged: tuple[int, int, int]) -> bool:
        """Compare by offset; of equal offsets in different partitions or epochs either row may stay."""
        offset, other = kept[-1], merged[-1]
        return kept != merged and (offset >= other if self.table.name in LAST_WINS else offset <= other)

    def _expired(self, row: Row) -> bool:
        """Return whether retention may have removed a row: ticks after 7 days, partial profiles after 90, most rows
        after years (see the migrations)."""
        columns = dict(zip(self.table.columns, row, strict=True))
        days = 730
        if self.table.name == "records_raw" and columns["kind"] == "tick":
            days = 7
        elif self.table.name == "feature_profiles_raw":
            days = 90
        elif self.table.name in ("late_events_raw", "dead_letters_raw"):
            days = 365
        recorded = columns["served_at"] if "served_at" in columns else columns["recorded_at"]
        return bool(recorded + days * DAY_MS < time.time() * 1000)
