"""Reads the history's tables for verify: digests of physical rows, before any merge."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import md5
from itertools import islice
from typing import Any, NamedTuple

from agents.verifying.packing import Packer, day, packer
from sinks.clickhouse.client import clear_errors
from sinks.clickhouse.columns import COLUMNS, view_of
from sinks.clickhouse.rows import Row

KEYS_AT_ONCE = 20_000
SETTINGS = {"max_query_size": 64 << 20, "max_ast_elements": 1_000_000, "max_expanded_ast_elements": 1_000_000}


class Range(NamedTuple):
    """Offsets start <= offset < end of a partition."""

    partition: int
    start: int
    end: int


class PhysicalRow(NamedTuple):
    """A physical row: the place of its record, and the MD5 of its columns in RowBinary."""

    partition: int
    offset: int
    digest: bytes


@dataclass
class Table:
    """A table of the history in one log epoch, read-only."""

    name: str
    epoch: int
    client: Any

    @property
    def columns(self) -> Sequence[str]:
        """The columns that follow from the log, in the order of the rows: all but stored_at and keep."""
        return COLUMNS[self.name]

    @property
    def view(self) -> str:
        """The name for people: that of the view."""
        return view_of(self.name)

    @cached_property
    def packers(self) -> list[Packer]:
        """Return the packer of each column."""
        types = dict(self._query(f"SELECT name, type FROM system.columns WHERE {self._itself}"))
        return [packer(types[column]) for column in self.columns]

    @cached_property
    def key(self) -> list[tuple[str, Packer, int]]:
        """The key by which ClickHouse merges rows: (expression, packer, index of its column)."""
        where = self._itself.replace("table =", "name =")
        [(sorted_by,)] = self._query(f"SELECT sorting_key FROM system.tables WHERE {where}")
        parts = []
        for whole, dated, plain in re.findall(r"(toDate32\((\w+)\)|(\w+))", sorted_by):
            index = self.columns.index(dated or plain)
            parts.append((whole, day if dated else self.packers[index], index))
        return parts

    @property
    def _itself(self) -> str:
        return f"database = '{self.client.database}' AND table = '{self.name}'"

    @cached_property
    def places(self) -> tuple[int, int]:
        """The indexes of log_partition and log_offset in a row."""
        return (self.columns.index("log_partition"), self.columns.index("log_offset"))

    @property
    def by_topic(self) -> bool:
        """Whether the table holds rows of several topics."""
        return "topic" in self.columns

    def found(self, row: Row) -> PhysicalRow:
        """Return the digest that the table must have for a row."""
        partition, offset = self.places
        packed = b"".join([pack(value) for pack, value in zip(self.packers, row, strict=True)])
        return PhysicalRow(row[partition], row[offset], md5(packed, usedforsecurity=False).digest())

    def key_of(self, row: Row) -> int:
        """Return 64 bits that stand for a row's key."""
        packed = b"".join([pack(row[index]) for _, pack, index in self.key])
        return int.from_bytes(md5(packed, usedforsecurity=False).digest()[:8], "big")

    def name_of(self, row: Sequence[Any]) -> str:
        """Return a row's name for people: its view and key."""
        return f"{self.view} {' '.join(str(row[index]) for _, _, index in self.key)}"

    def stored(self, topic: str, ranges: Iterable[Range]) -> set[PhysicalRow]:
        """Return the distinct physical rows of these ranges."""
        query = f"SELECT DISTINCT log_partition, log_offset, {self._digest} FROM {self.name} WHERE "
        return {PhysicalRow(*row) for row in self._query(query + self._within(topic, ranges))}

    def strangers(self, topic: str, partitions: int) -> int:
        """Return the number of rows of partitions that the topic does not have."""
        where = f"{self._of(topic)} AND (log_partition < 0 OR log_partition >= {partitions})"
        return int(self._query(f"SELECT count() FROM {self.name} WHERE {where}")[0][0])

    def kept(self, keys: Iterable[int]) -> Mapping[int, list[tuple[int, int, int]]]:
        """Return (epoch, partition, offset) of the physical rows of these keys in any log epoch.

        Events that are published again in a later epoch are the same rows."""
        left = iter(keys)
        key = f"halfMD5(formatRowNoNewline('RowBinary', {', '.join(part for part, _, _ in self.key)}))"
        kept: dict[int, list[tuple[int, int, int]]] = {}
        while part := list(islice(left, KEYS_AT_ONCE)):
            chosen = f"{key} IN ({', '.join(map(str, part))})"
            query = f"SELECT {key}, {self._epoch}, log_partition, log_offset FROM {self.name} WHERE {chosen}"
            for digest, *place in self._query(query):
                kept.setdefault(digest, []).append((place[0], place[1], place[2]))
        return kept

    def contents(self, topic: str, found: PhysicalRow) -> tuple[list[bytes], list[str]]:
        """Return a physical row, each column as bytes and as text."""
        packed = ", ".join(f"hex(formatRowNoNewline('RowBinary', {column}))" for column in self.columns)
        shown = ", ".join(f"toString({column})" for column in self.columns)
        place = Range(found.partition, found.offset, found.offset + 1)
        where = f"{self._within(topic, [place])} AND {self._digest} = unhex('{found.digest.hex()}')"
        rows = self._query(f"SELECT [{packed}], [{shown}] FROM {self.name} WHERE {where} LIMIT 1")
        packed_row, shown_row = rows[0] if rows else ([], [])
        return [bytes.fromhex(column) for column in packed_row], list(shown_row)

    @property
    def _digest(self) -> str:
        return f"MD5(formatRowNoNewline('RowBinary', {', '.join(self.columns)}))"

    @property
    def _epoch(self) -> str:
        return "log_epoch" if "log_epoch" in self.columns else "source_epoch"

    def _of(self, topic: str) -> str:
        return f"{self._epoch} = {self.epoch}" + (f" AND topic = '{topic}'" if self.by_topic else "")

    def _within(self, topic: str, ranges: Iterable[Range]) -> str:
        places = " OR ".join(
            f"log_partition = {partition} AND log_offset >= {start} AND log_offset < {end}"
            for partition, start, end in ranges
        )
        return f"{self._of(topic)} AND ({places})"

    def _query(self, query: str) -> Sequence[Any]:
        with clear_errors():
            rows: Sequence[Any] = self.client.query(query, settings=SETTINGS).result_rows
        return rows
