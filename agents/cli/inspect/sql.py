"""`tidecast sql`: query the history in ClickHouse."""

import codecs
import os
import re
import sys
from collections.abc import Sequence
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from agents.formatting import printable
from agents.settings import Settings, load_settings
from sinks.clickhouse.client import READING, WRITING, clear_errors, connect
from streams.errors import SettingError

SCREEN_ROWS = 100
FORMATS = {"csv": "CSVWithNames", "json": "JSONEachRow"}
WITH_ROWS = ("SELECT", "WITH", "SHOW", "DESCRIBE", "DESC", "EXISTS", "EXPLAIN", "(")


@click.command()
@click.argument("query", required=False)
@click.option(
    "--file", "file", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="Read the query from a file."
)
@click.option(
    "--format",
    "shape",
    type=click.Choice(["table", *FORMATS]),
    help="table, csv with a header, or json, one object a line.  [default: table on a terminal, else csv]",
)
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    help=f"Show at most N rows; 0 shows all.  [default: {SCREEN_ROWS} as a table, else all]",
)
@click.option("--write", is_flag=True, help="Allow statements that change data or tables.")
def command(query: str | None, file: Path | None, shape: str | None, limit: int | None, write: bool) -> None:
    """Query the history in ClickHouse.

    Read the views (events, predictions, answers, labelled_examples, quality, open_alerts, accounting, serving, ...):
    they never show a row twice. `SHOW TABLES` lists them, `DESCRIBE predictions` explains one.
    Without QUERY and --file the query is read from standard input. Only reading is allowed, unless --write is given.

    \b
    tidecast sql "SELECT target, count() FROM predictions GROUP BY target"
    tidecast sql "SELECT * FROM quality WHERE span = 'cohort'"
    tidecast sql "SELECT event_time, value FROM predictions WHERE customer_id = 'c7' ORDER BY event_time"
    tidecast sql --format csv "SELECT * FROM dead_letters" > dead.csv
    tidecast sql --file monthly.sql --format json | jq .
    """
    text = statement(query, file)
    shape = shape or ("table" if sys.stdout.isatty() else "csv")
    client = client_of(load_settings(), WRITING if write else READING)
    if not begins_with_rows(text):
        with clear_errors():
            client.command(text)
        return
    if shape == "table":
        show(client, text, SCREEN_ROWS if limit is None else limit)
    else:
        stream(client, text, FORMATS[shape], limit or 0)


def statement(query: str | None, file: Path | None) -> str:
    """Return the query from the argument, the file or standard input. Raises SettingError unless there is exactly
    one."""
    if query and file:
        raise SettingError("Give the query either as an argument or with --file, not both.")
    if file:
        query = file.read_text(encoding="utf-8")
    elif query is None or query == "-":
        query = "" if sys.stdin.isatty() else sys.stdin.read()
    query = query.strip().rstrip(";").strip()
    if not query:
        raise SettingError('There is no query; try: tidecast sql "SHOW TABLES".')
    if re.search(r"\bFORMAT\s+\w+$", query, re.IGNORECASE):
        raise SettingError("Leave FORMAT out of the query and choose with --format table, csv or json.")
    return query


def client_of(settings: Settings, mode: dict[str, str]) -> Any:
    """Connect to the history."""
    return connect(settings.clickhouse_database, mode, **settings.clickhouse())


def begins_with_rows(text: str) -> bool:
    """Return whether a statement returns rows."""
    bare = re.sub(r"^(\s|--[^\n]*\n|/\*.*?\*/)*", "", text, flags=re.DOTALL)
    return bare.upper().startswith(WITH_ROWS)


def show(client: Any, text: str, limit: int) -> None:
    """Print a table of at most `limit` rows; say when there are more."""
    rows: list[tuple[Any, ...]] = []
    with clear_errors(), client.query_rows_stream(text) as found:
        names = found.source.column_names
        rows.extend(islice(found, limit + 1 if limit else None))
    more = bool(limit) and len(rows) > limit
    rows = rows[:limit] if limit else rows
    console = Console()
    cells = [[cell(value) for value in row] for row in rows]
    widths = [min(30, max(map(len, column))) + 3 for column in zip(names, *cells, strict=True)]
    if sum(widths) > console.width:
        print_records(console, names, cells)
    else:
        print_table(console, names, cells, rows[:20])
    note = f"the first {limit} rows; --limit 0 shows all" if more else f"{len(rows)} row{'s' * (len(rows) != 1)}"
    click.echo(note, err=True)


def print_table(console: Console, names: Sequence[str], cells: list[list[str]], sample: list[tuple[Any, ...]]) -> None:
    """Print one line per row."""
    table = Table(header_style="bold")
    for index, name in enumerate(names):
        numeric = any(isinstance(row[index], (int, float)) for row in sample)
        table.add_column(Text(name), justify="right" if numeric else "left", overflow="fold")
    for row in cells:
        table.add_row(*map(Text, row))
    console.print(table)


def print_records(console: Console, names: Sequence[str], cells: list[list[str]]) -> None:
    """Print one line per field, for rows that are wider than the screen."""
    width = max(map(len, names))
    for number, row in enumerate(cells, 1):
        console.rule(str(number), align="left", style="dim")
        for name, text in zip(names, row, strict=True):
            console.print(Text(f"{name:>{width}}  ", style="bold").append(Text(text, style="not bold")), soft_wrap=True)


def cell(value: Any) -> str:
    """Format a value for people: times in UTC to the millisecond, numbers with six significant digits."""
    if value is None:
        return "–"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S") + (f".{value.microsecond // 1000:03d}" if value.microsecond else "")
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(cell(item) for item in value) + "]"
    if isinstance(value, dict):
        return ", ".join(f"{key}={cell(item)}" for key, item in value.items())
    return printable(str(value))


def for_screen(text: str) -> str:
    """Return lines without the terminal escapes that they may hold. A file gets the bytes as they are."""
    return "".join(sign if sign in "\n\t" else printable(sign) for sign in text)


def stream(client: Any, text: str, form: str, limit: int) -> None:
    """Copy the server's bytes to standard output as they arrive; on a terminal without its escapes."""
    settings = {"limit": str(limit)} if limit else {}
    out = click.get_binary_stream("stdout")
    with clear_errors():
        body = client.raw_stream(text, fmt=form, settings=settings)
        decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        try:
            while block := body.read(1 << 16):
                out.write(for_screen(decode(block)).encode() if sys.stdout.isatty() else block)
            out.flush()
        except BrokenPipeError:  # the reader of our pipe, such as `head`, has closed it
            os.dup2(os.open(os.devnull, os.O_WRONLY), out.fileno())
        finally:
            body.close()
