"""`tidecast publish`: publish events from files."""

import sys
import time
from contextlib import ExitStack
from datetime import UTC
from pathlib import Path
from typing import Any

import click

from agents.cli.define.publish_steps import in_step, look, needed, pace_of, pairs, refuse_rejects, rejects_file
from agents.cli.define.publish_summary import tell_findings, tell_result, tell_rows
from agents.cli.progress import bar
from agents.importing.checks.identities import Identities
from agents.importing.checks.log_scan import LogClock, log_clock
from agents.importing.collecting import Bounds, Collector, source_of
from agents.importing.delivering import Clock, deliver
from agents.importing.deployed import declared_events, deployed_events
from agents.importing.files.opening import open_rows
from agents.importing.ordering import Sorter
from agents.importing.pace import parse_rate, parse_speed
from agents.importing.publisher import EventPublisher
from agents.importing.report import FileReport, RejectedRows, Report
from agents.importing.values.misfit import Misfit
from agents.importing.values.times import time_converter
from agents.settings import load_settings
from schemas.catalog import load_schemas
from streams.avro.codec import Codec, MemoryRegistry
from streams.errors import DeclarationError, TidecastError
from streams.features.window import duration_ms
from streams.usecases import load_use_case

DAY_MS = 86_400_000
EARLIEST_MS = 631_152_000_000
"""1990-01-01: the zeros of clocks and calendars that stand for a missing time lie before."""
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


def _share(text: str) -> float:
    """Parse `5%` or `0.05`; ValueError otherwise."""
    number = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    if not 0 <= number <= 1:
        raise ValueError("write a share such as 5%")
    return number


TIME = _parsed(time_converter(None, UTC))
FULL_SPEED = (
    "Published as fast as possible: time passed faster than models can learn, so most answers are those of untrained "
    "versions."
)


@click.command()
@click.argument("files", metavar="FILE...", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option(
    "--mapping",
    "mappings",
    required=True,
    multiple=True,
    type=click.Path(path_type=Path),
    help="TOML file: columns to fields. One for all files, or one for each, in their order.",
)
@click.option("--use-case", metavar="REF", help="Name or path.  [default: the one that is deployed]")
@click.option(
    "--as-fast-as-possible", "fast", is_flag=True, help="Do not wait for learning; answers come from untrained models."
)
@click.option("--rate", callback=_parsed(parse_rate), metavar="N/s", help="Most records per second.")
@click.option(
    "--speed",
    callback=_parsed(parse_speed),
    metavar="FACTORx",
    help="Event time over real time, such as 86400x.",
)
@click.option(
    "--until",
    callback=TIME,
    metavar="TIME",
    help="Advance the clock to this time after the last row, so that horizons close (ISO 8601, UTC).",
)
@click.option("--latest", callback=TIME, metavar="TIME", help="Reject later rows.  [default: a day from now]")
@click.option(
    "--earliest",
    callback=TIME,
    default="1990-01-01",
    show_default=True,
    metavar="TIME",
    help="Reject earlier rows.",
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
@click.option(
    "--max-rejects",
    callback=_parsed(_share),
    default="5%",
    show_default=True,
    metavar="SHARE",
    help="Send nothing when more of a file is rejected.",
)
@click.option("--strict", is_flag=True, help=f"Exit code {SOME_REJECTED} when a row is rejected.")
@click.option("--yes", is_flag=True, help="Publish in spite of what looks wrong: gaps, late rows, ids used twice.")
@click.option("--dry-run", is_flag=True, help="Check all rows, publish nothing; with --use-case without servers.")
def command(
    files: tuple[Path, ...],
    mappings: tuple[Path, ...],
    use_case: str | None,
    fast: bool,
    rate: float | None,
    speed: float | None,
    until: int | None,
    latest: int | None,
    earliest: int,
    tick_every: int,
    rejects: Path | None,
    max_rejects: float,
    strict: bool,
    yes: bool,
    dry_run: bool,
) -> None:
    """Publish the rows of files (.csv, .jsonl, .json, .parquet; .gz may follow) as events, in event-time order.

    All rows are read and checked before the first is sent. What is published again has the same ids, so nothing is
    counted twice. Where the use case's clock is external, its ticks are published as well, in step with learning: time
    passes no faster than models learn, so workers must run. --as-fast-as-possible, --rate and --speed do not wait.

    \b
    A mapping (docs/publishing.md describes every key):
      event = "Purchase"
      customer = "customer_id"
      time = "date"                      # or { column = "date", format = "%d.%m.%Y", zone = "Europe/Berlin" }
      id = "order_no"                    # without it: from file, mapping and line
      where = 'status != "test"'         # only these rows
      separator = ";"                    # found out when left out; encoding = "cp1252" likewise
      decimal = ","                      # thousands = "." and missing = ["NA"] likewise
      [columns]                          # computed columns
      total = "number(price) * number(quantity)"
      [fields]
      items = "number_of_items"
      amount_cents = { column = "total", scale = 100 }
      channel = { value = "web" }
      returned = { column = "status", map = { R = true, S = false } }
      [outcome]                          # rows that tell the true answer; none where the column is empty
      target = "churn"
      value = { column = "left", map = { Yes = 1, No = 0 } }

    \b
    tidecast publish orders.csv.gz --mapping orders.toml
    tidecast publish orders.csv returns.csv --mapping orders.toml --mapping returns.toml --until 2026-12-31
    tidecast publish orders.jsonl --mapping orders.toml --use-case retail --dry-run
    """
    if sum(map(bool, (fast, rate, speed))) > 1:
        raise click.UsageError("give one of --as-fast-as-possible, --rate and --speed")
    read_by = pairs(files, mappings)
    settings = None if dry_run and use_case else load_settings()
    known = declared_events(load_use_case(use_case)) if use_case else deployed_events(needed(settings))
    sources = [source_of(open_rows(file, mapping.format), mapping, known) for file, mapping in read_by]
    report = Report([FileReport(source.file.path, source.file.unit) for source in sources])
    bounds = Bounds(earliest, latest if latest is not None else max(int(time.time() * 1000) + DAY_MS, until or 0))
    with ExitStack() as stack:
        sorter, identities = stack.enter_context(Sorter()), stack.enter_context(Identities())
        refused = RejectedRows(report, stack.enter_context(rejects_file(rejects)) if rejects else None)
        publisher = None if settings is None else stack.enter_context(EventPublisher(settings, known))
        codec = publisher.codec if publisher else Codec(MemoryRegistry(), {**load_schemas(), **known.schemas})
        log = LogClock(()) if publisher is None else log_clock(needed(settings), codec, publisher.deployment)
        collector = Collector(known, codec, sorter, identities, bounds, log.late(known.lateness), report, refused)
        with bar("checking", None) as advance:
            for number, source in enumerate(sources):
                collector.collect(source, number, advance)
        tell_rows(report)
        refuse_rejects(report, max_rejects)
        found = look(settings, codec, known, sources, identities, log, max_rejects)
        tell_findings(found)
        if found.doubts and not (yes or dry_run):
            raise TidecastError("Nothing was sent. Correct what is told above, or publish with --yes if it is right.")
        if publisher is not None and not dry_run:
            clock = Clock(tick_every, until) if known.clock == "external" else None
            pace = pace_of(fast, rate, speed, publisher)
            if pace is None:
                pace = stack.enter_context(in_step(needed(settings), publisher, log))
            with bar("publishing", sorter.count) as advance:
                deliver(sorter, publisher, pace, clock, report, advance)
    tell_result(report, dry_run, known.clock)
    if known.clock == "external" and fast and not dry_run:
        click.echo(FULL_SPEED, err=True)
    if report.rejected and strict:
        sys.exit(SOME_REJECTED)
