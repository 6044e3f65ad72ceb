"""Imports a file into the log: reads and checks it whole, sorts it, then publishes it with its clock."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import IO, Any

from agents.formatting import moment
from agents.importing.convert import Misfit
from agents.importing.mapper import RowMapper
from agents.importing.ordering import Message, Sorter, TickAt, with_ticks
from agents.importing.pace import Pace
from agents.importing.publisher import EventPublisher
from agents.importing.rows import RowFile
from schemas.records import OUTCOME
from streams.avro.codec import Codec
from streams.errors import Undecodable

LARGEST = 900_000
"""The maximum size of a record, bytes. By default brokers refuse more than a million."""

Advance = Callable[[int], None]
"""Called now and then with the number of records done since the last call."""
TELL_EVERY = 1000


@dataclass(slots=True)
class Report:
    """What became of a file. Times are event times in ms."""

    rows: int = 0
    rejected: int = 0
    events: int = 0
    outcomes: int = 0
    ticks: int = 0
    first: int | None = None
    last: int | None = None
    seconds: float = 0.0
    reasons: list[tuple[int, str]] = field(default_factory=list)
    """(line, reason) of the first rejected rows."""

    @property
    def records(self) -> int:
        """Number of events and outcomes."""
        return self.events + self.outcomes


class RejectedRows:
    """Collects rows that do not fit. Counts them, keeps the first ones, and writes all to a file if one is given."""

    KEPT = 20

    def __init__(self, report: Report, file: IO[str] | None) -> None:
        self._report = report
        self._file = file

    def add(self, number: int, reason: str, row: dict[str, Any] | None) -> None:
        """Add a row that is not published."""
        self._report.rejected += 1
        if len(self._report.reasons) < self.KEPT:
            self._report.reasons.append((number, reason))
        if self._file is not None:
            text = json.dumps({"line": number, "reason": reason, "row": row}, default=str, ensure_ascii=True)
            self._file.write(text + "\n")


def collect(
    file: RowFile,
    mapper: RowMapper,
    codec: Codec,
    sorter: Sorter,
    rejects: RejectedRows,
    report: Report,
    advance: Advance,
    latest: int | None = None,
) -> None:
    """Map and encode all rows into the sorter.

    A row is taken whole or not at all. A row later than `latest` (ms) is rejected, because it would move the clock
    forward for good."""
    for line in file.lines():
        report.rows += 1
        if report.rows % TELL_EVERY == 0:
            advance(TELL_EVERY)
        if line.row is None:
            rejects.add(line.number, line.reason, None)
            continue
        try:
            found = list(_encoded(mapper, codec, line.row, f"{file.digest}-{line.number}", line.number))
            _not_after(latest, found)
        except (Misfit, Undecodable) as error:
            rejects.add(line.number, str(error), line.row)
            continue
        for name, message in found:
            sorter.add(message)
            if name == OUTCOME:
                report.outcomes += 1
            else:
                report.events += 1


def _not_after(latest: int | None, found: list[tuple[str, Message]]) -> None:
    if latest is not None:
        for _, message in found:
            if message.time > latest:
                raise Misfit(
                    f"lies in the future ({moment(message.time)}): correct it, or raise --latest if the date is right"
                )


def _encoded(
    mapper: RowMapper, codec: Codec, row: dict[str, Any], fallback_id: str, number: int
) -> Iterator[tuple[str, Message]]:
    for place, (name, record) in enumerate(mapper.records(row, fallback_id)):
        value = codec.encode(name, record)
        if len(value) > LARGEST:
            raise Misfit(f"makes a record of {len(value)} bytes; the limit is {LARGEST}")
        yield name, Message(record["occurred_at"], 2 * number + place, record["customer_id"], value)


@dataclass(frozen=True, slots=True)
class Clock:
    """The ticks that a publication writes: one every `every` ms of event time, up to `until` after the last row."""

    every: int
    until: int | None = None


def deliver(
    sorter: Sorter, publisher: EventPublisher, pace: Pace, clock: Clock | None, report: Report, advance: Advance
) -> None:
    """Publish the sorter's records in order, with ticks if a clock is given. Flushes even when interrupted."""
    began = time.monotonic()
    items = with_ticks(sorter.messages(), clock.every, clock.until) if clock else sorter.messages()
    try:
        for number, item in enumerate(items, 1):
            pace.before(item.time)
            if isinstance(item, TickAt):
                publisher.tick(item.time)
                report.ticks += 1
            else:
                publisher.send(item.customer, item.value)
                report.first = item.time if report.first is None else report.first
                report.last = item.time
            if number % TELL_EVERY == 0:
                advance(TELL_EVERY)
        publisher.flush()
    except KeyboardInterrupt:
        with suppress(Exception):
            publisher.flush()
        raise
    finally:
        report.seconds = time.monotonic() - began
