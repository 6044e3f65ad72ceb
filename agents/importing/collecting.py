"""Reads files whole, checks every row, and sorts the records by event time, before anything is sent."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from typing import Any

from agents.formatting import moment
from agents.importing.checks.identities import Identities
from agents.importing.deployed import PublishedEvents
from agents.importing.files.rows import Line, RowFile
from agents.importing.mapping.mapper import RowMapper
from agents.importing.mapping.mapping_file import MappingError, RowMapping, nearest
from agents.importing.ordering import Message, Sorter
from agents.importing.report import FileReport, RejectedRows, Report
from agents.importing.values.misfit import Misfit
from schemas.catalog import Decoded, Schema, load_schemas
from schemas.records import OUTCOME
from streams.avro.codec import Codec
from streams.errors import Undecodable
from streams.scoring.intake import MAX_ID, check_outcome, finite_check

LARGEST = 900_000
"""Most bytes of a record; brokers refuse more than a million by default."""
PLACES = 44
"""Bits of a message's order that say the place in its file; those above say which file."""
TELL_EVERY = 1000

Advance = Callable[[int], None]
"""Called now and then with the number of records done since the last call."""
IsLate = Callable[[str, int], bool]
"""Whether an event of a customer at a time (ms) is older than the watermark of the log."""


@dataclass(frozen=True, slots=True)
class Source:
    """A file and the mapping by which it is read.

    fallback: start of the ids of rows that name none. It holds the digest of file and mapping: a row that was sent by
    a wrong mapping is another one when it is sent by the right one."""

    file: RowFile
    mapper: RowMapper
    fallback: str


def source_of(file: RowFile, mapping: RowMapping, known: PublishedEvents) -> Source:
    """Return a source. Raises MappingError when the mapping does not fit the file's header or the use case."""
    schemas: Mapping[str, Schema] = {**load_schemas(), **known.schemas}
    full_name = None if mapping.event is None else known.event_full_name(mapping.event)
    if full_name is not None and full_name not in schemas:
        shorts = tuple(name.rsplit(".", 1)[-1] for name in known.schemas)
        near = nearest(str(mapping.event), shorts)
        raise MappingError(f"{mapping.place}: {known.name} has no event {mapping.event!r}{near}")
    target = None if mapping.outcome is None else mapping.outcome.target
    if target is not None and target not in known.targets:
        near = nearest(target, tuple(known.targets))
        raise MappingError(f"{mapping.place}: {known.name} has no target {target!r}{near}")
    mapper = RowMapper(mapping, full_name, schemas, file.columns, file.separator)
    return Source(file, mapper, f"{file.digest}-{mapping_digest(mapping)}")


def mapping_digest(mapping: RowMapping) -> str:
    """Return 8 hex digits that tell mappings apart which make other records of a row."""
    content = json.dumps(asdict(replace(mapping, place="")), sort_keys=True, default=str)
    return sha256(content.encode()).hexdigest()[:8]


@dataclass(frozen=True, slots=True)
class Bounds:
    """The times that rows may have, ms."""

    earliest: int
    latest: int | None

    def check(self, time: int) -> None:
        """Raise Misfit for a time outside. One placeholder such as 9999-12-31 would move an external clock for ever."""
        if self.latest is not None and time > self.latest:
            raise Misfit(f"lies in the future ({moment(time)}): correct it, or raise --latest if the date is right")
        if time < self.earliest:
            raise Misfit(f"lies too far back ({moment(time)}): correct it, or lower --earliest if the date is right")


class Collector:
    """Maps, checks and encodes the rows of sources into a sorter. A row is taken whole or not at all."""

    def __init__(
        self,
        known: PublishedEvents,
        codec: Codec,
        sorter: Sorter,
        identities: Identities,
        bounds: Bounds,
        is_late: IsLate,
        report: Report,
        rejects: RejectedRows,
    ) -> None:
        self._kinds = known.targets
        self._codec = codec
        self._sorter = sorter
        self._identities = identities
        self._bounds = bounds
        self._is_late = is_late
        self._report = report
        self._rejects = rejects
        self._finite = {name: finite_check(schema) for name, schema in known.schemas.items()}
        self._blank = {
            name: dict.fromkeys(f["name"] for f in schema["fields"]) for name, schema in known.schemas.items()
        }

    def collect(self, source: Source, number: int, advance: Advance) -> None:
        """Read a source whole; `number` is its place among the sources. MappingError after the last row, when no row
        has a column that the mapping names."""
        file = self._report.files[number]
        for line in source.file.lines():
            file.lines += line.lines
            if line.row is None and not line.reason:
                continue
            file.rows += 1
            if file.rows % TELL_EVERY == 0:
                advance(TELL_EVERY)
            self._take(source, file, line, number << PLACES)
        source.mapper.columns.check_seen()
        self._note(source, file)

    def _take(self, source: Source, file: FileReport, line: Line, start: int) -> None:
        if line.row is None:
            self._rejects.add(file, line, line.reason)
            return
        try:
            found = list(self._encoded(source, line))
        except (Misfit, Undecodable) as error:
            self._rejects.add(file, line, str(error))
            return
        if not found:
            file.left_out += 1
        for place, (name, record, value) in enumerate(found):
            order, time, customer = start + 2 * line.number + place, record["occurred_at"], record["customer_id"]
            self._sorter.add(Message(time, order, customer, value))
            is_outcome = name == OUTCOME
            id = record["outcome_id" if is_outcome else "event_id"]
            late = not is_outcome and self._is_late(customer, time)
            self._identities.add(name, customer, id, value, order, time, late)
            if is_outcome:
                self._report.outcomes += 1
            else:
                self._report.events += 1

    def _encoded(self, source: Source, line: Line) -> Iterator[tuple[str, Decoded, bytes]]:
        assert line.row is not None
        for name, record in source.mapper.records(line.row, f"{source.fallback}-{line.number}"):
            fields: Any = record
            self._bounds.check(fields["occurred_at"])
            if name == OUTCOME:
                check_outcome(self._kinds, fields)
                if len(fields["outcome_id"]) > MAX_ID:
                    raise Misfit(f"makes an id of the outcome with more than {MAX_ID} characters")
            else:
                self._finite[name]({**self._blank[name], **fields})
            value = self._codec.encode(name, fields)
            if len(value) > LARGEST:
                raise Misfit(f"makes a record of {len(value)} bytes; the limit is {LARGEST}")
            yield name, fields, value

    def _note(self, source: Source, file: FileReport) -> None:
        file.notes += source.file.notes
        columns, twice, whole = source.mapper.columns, source.mapper.times.twice, source.mapper.fractions
        for column, field in columns.misspelt():
            file.notes.append(f"the column {column!r} is not used, and the field {field} has its default: is it that?")
        if unused := columns.unused():
            more = f" and {len(unused) - 8} more" if len(unused) > 8 else ""
            file.notes.append(f"columns that nothing uses: {', '.join(unused[:8])}{more}")
        if whole:
            file.notes.append(f"{whole:,} ids are written as numbers with a fraction; 12345.0 is taken as 12345")
        if twice:
            file.notes.append(
                f"{twice:,} local times occur twice, since the clocks are set back: each is taken as the one nearer to "
                "the row before"
            )
