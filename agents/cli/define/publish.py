"""`tidecast publish`: publish events from a file."""

import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC
from pathlib import Path
from typing import IO, Any

import click

from agents.cli.progress import bar
from agents.formatting import moment
from agents.importing.convert import Misfit, time_converter
from agents.importing.deployed import deployed_events
from agents.importing.job import Clock, RejectedRows, Report, collect, deliver
from agents.importing.mapper import RowMapper
from agents.importing.mapping import MappingError, RowMapping, nearest, read_mapping
from agents.importing.ordering import Sorter
from agents.importing.pace import FullSpeed, Pace, Rate, Speed, parse_rate, parse_speed
from agents.importing.publisher import EventPublisher, Published
from agents.importing.rows import RowFile, open_rows
from agents.settings import load_settings
from schemas.catalog import Schema, load_schemas
from streams.avro.codec import Codec, MemoryRegistry
from streams.errors import DeclarationError, SettingError, TidecastError
from streams.features.window import duration_ms
from streams.usecases import load_use_case

DAY_MS = 86_400_000
SOME_REJECTED = 3
"""Exit code with --strict when rows are rejected."""


def _parsed(parse: Any) -> Any:
    """Return a click callback that parses an option's text with `parse`."""

    def callback(_context: click.Context, _option: click.Parameter, value: str | None) -> Any:
        try:
            return None if value is None else parse(value)
        except (ValueError, DeclarationError, Misfit) as error:
            raise click.BadParameter(str(error)) from None

    return callback


FULL_SPEED = (
    "Published at full speed: time passed faster than models can learn, so most answers are those of untrained "
    "versions. To see them learn as they would have, publish with --speed, such as 864000x (ten days a second)."
)


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--mapping", required=True, type=click.Path(path_type=Path), help="TOML file: columns to fields.")
@click.option("--use-case", metavar="REF", help="Name or path.  [default: the one that is deployed]")
@click.option("--rate", callback=_parsed(parse_rate), metavar="N/s", help="Most records per second.")
@click.option(
    "--speed",
    callback=_parsed(parse_speed),
    metavar="FACTORx",
    help="Event time over real time, such as 86400x.",
)
@click.option(
    "--until",
    callback=_parsed(time_converter(None, UTC)),
    metavar="TIME",
    help="Advance the clock to this time after the last row, so that horizons close (ISO 8601, UTC).",
)
@click.option(
    "--latest",
    callback=_parsed(time_converter(None, UTC)),
    metavar="TIME",
    help="Reject rows later than this where the clock is external.  [default: a day from now]",
)
@click.option(
    "--tick-every",
    callback=_parsed(duration_ms),
    default="1d",
    show_default=True,
    metavar="SPAN",
    help="Event time between ticks, such as 1h.",
)
@click.option("--rejects", type=click.Path(path_type=Path), help="Write rejected rows to this file (JSON lines).")
@click.option("--strict", is_flag=True, help=f"Exit code {SOME_REJECTED} when a row is rejected.")
@click.option("--dry-run", is_flag=True, help="Check all rows, publish nothing; with --use-case without servers.")
def command(
    file: Path,
    mapping: Path,
    use_case: str | None,
    rate: float | None,
    speed: float | None,
    until: int | None,
    latest: int | None,
    tick_every: int,
    rejects: Path | None,
    strict: bool,
    dry_run: bool,
) -> None:
    """Publish the rows of FILE (.csv, .jsonl, .parquet; .gz may follow) as events, in event-time order.

    All rows are read and checked first. Where the use case's clock is external, its ticks are published as well. A
    file that is published again has the same event ids, so nothing is counted twice.

    \b
    A mapping:
      event = "Purchase"
      customer = "customer_id"
      time = "date"                      # or { column = "date", format = "%d.%m.%Y", zone = "Europe/Berlin" }
      id = "order_no"                    # without it: from the file's digest and the line
      [fields]
      items = "number_of_items"
      amount_cents = { column = "dollars", scale = 100 }
      channel = { value = "web" }

    \b
    tidecast publish orders.csv.gz --mapping orders.toml
    tidecast publish orders.csv --mapping orders.toml --speed 86400x --until 2026-12-31
    tidecast publish orders.jsonl --mapping orders.toml --use-case retail --dry-run
    """
    if rate and speed:
        raise click.UsageError("give either --rate or --speed")
    plan = read_mapping(mapping)
    rows = open_rows(file, plan.separator)
    settings = None if dry_run and use_case else load_settings()
    known: Published = load_use_case(use_case) if use_case else deployed_events(_needed(settings))
    mapper = _mapper(plan, known, rows)
    report = Report()
    with ExitStack() as stack:
        sorter = stack.enter_context(Sorter())
        refused = RejectedRows(report, stack.enter_context(_rejects(rejects)) if rejects else None)
        publisher = None if dry_run else stack.enter_context(EventPublisher(_needed(settings), known))
        codec = publisher.codec if publisher else Codec(MemoryRegistry(), {**load_schemas(), **known.schemas})
        with bar("reading", None) as advance:
            collect(rows, mapper, codec, sorter, refused, report, advance, _latest(latest, until, known))
        if publisher is not None:
            clock = Clock(tick_every, until) if known.clock == "external" else None
            with bar("publishing", sorter.count) as advance:
                deliver(sorter, publisher, _pace(rate, speed, publisher), clock, report, advance)
    _tell(file, report, dry_run, known.clock)
    if known.clock == "external" and not (rate or speed or dry_run):
        click.echo(FULL_SPEED, err=True)
    if report.rejected == report.rows and report.rows:
        raise TidecastError(f"Not one of the {report.rows} rows of {file} fits the mapping {mapping}; correct it.")
    if report.rejected and strict:
        sys.exit(SOME_REJECTED)


def _latest(latest: int | None, until: int | None, known: Published) -> int | None:
    """Return the latest time that rows may have. One placeholder such as 9999-12-31 would move an external clock there
    for ever."""
    if known.clock != "external":
        return None
    return latest if latest is not None else max(int(time.time() * 1000) + DAY_MS, until or 0)


def _needed(settings: Any) -> Any:
    return settings if settings is not None else load_settings()


def _mapper(plan: RowMapping, known: Published, rows: RowFile) -> RowMapper:
    schemas: Mapping[str, Schema] = {**load_schemas(), **known.schemas}
    full_name = None if plan.event is None else known.event_full_name(plan.event)
    if full_name is not None and full_name not in schemas:
        shorts = tuple(name.rsplit(".", 1)[-1] for name in known.schemas)
        raise MappingError(f"{plan.place}: {known.name} has no event {plan.event!r}{nearest(str(plan.event), shorts)}")
    return RowMapper(plan, full_name, schemas, rows.columns)


def _pace(rate: float | None, speed: float | None, publisher: EventPublisher) -> Pace:
    if rate:
        return Rate(rate, publisher.poll)
    return Speed(speed, publisher.poll) if speed else FullSpeed()


@contextmanager
def _rejects(path: Path) -> Iterator[IO[str]]:
    try:
        file = path.open("w", encoding="utf-8")
    except OSError as error:
        raise SettingError(
            f"{path} cannot be written ({error.strerror}); choose another file for --rejects."
        ) from error
    with file:
        yield file


def _tell(file: Path, report: Report, dry_run: bool, clock: str) -> None:
    for number, reason in report.reasons:
        click.echo(f"line {number}: {reason}", err=True)
    if report.rejected > len(report.reasons):
        click.echo(f"… and {report.rejected - len(report.reasons)} more rejected rows", err=True)
    what = f"{file}: {report.rows:,} rows, {report.rejected:,} rejected"
    if dry_run:
        click.echo(f"{what}; {report.records:,} records would be published.")
        return
    pace = f"{report.records / report.seconds:,.0f}/s" if report.seconds > 0 else "at once"
    click.echo(f"{what}; {_counted(report)} published in {report.seconds:.1f} s ({pace}).")
    if report.first is not None and report.last is not None:
        click.echo(f"Event time from {moment(report.first)} to {moment(report.last)}.")
    if clock == "external":
        click.echo(f"{report.ticks:,} ticks written to every partition.")


def _counted(report: Report) -> str:
    parts = [(report.events, "events"), (report.outcomes, "outcomes")]
    return " and ".join(f"{count:,} {word}" for count, word in parts if count) or "nothing"
