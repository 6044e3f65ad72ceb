"""`tidecast init`: create a use case to start from."""

import csv
import io
import random
import re
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path
from string import Template

import click

from streams.errors import TidecastError

STARTER = {
    "usecase.py": "usecase.py.template",
    "schemas/Purchase.avsc": "Purchase.avsc.template",
    "sample.toml": "sample.toml.template",
}
CUSTOMERS = 300
WEEKS = 104
"""Days of the sample: horizons of 13 weeks close several times within it."""


class InitError(TidecastError):
    """The use case cannot be written to that place."""


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
def command(folder: Path) -> None:
    """Write a use case to start from into DIR: declarations, event schemas, sample events and their mapping.

    Existing files are not overwritten.

    \b
    tidecast init myshop
    tidecast check myshop
    tidecast deploy myshop
    tidecast publish myshop/sample.csv --mapping myshop/sample.toml
    """
    write_starter(folder)
    click.echo(f"Wrote {folder}: usecase.py, schemas/, sample.csv, sample.toml.")
    click.echo("Next:")
    click.echo(f"  tidecast check {folder}       # after every change")
    click.echo(f"  tidecast deploy {folder}      # needs the servers: tidecast stack up")
    click.echo("  tidecast worker")
    click.echo(f"  tidecast publish {folder}/sample.csv --mapping {folder}/sample.toml")


def write_starter(folder: Path) -> None:
    """Write all files; raise InitError, and write none, when one exists already."""
    words = {"name": namespace_of(folder), "folder": str(folder)}
    starter = resources.files("agents.cli.define") / "starter"
    files = {to: Template((starter / of).read_text("utf-8")).substitute(words) for to, of in STARTER.items()}
    files["sample.csv"] = sample()
    for name in files:
        if (folder / name).exists():
            raise InitError(f"{folder / name} exists already: choose another folder, or move it away.")
    try:
        for name, text in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise InitError(f"{folder} cannot be written ({error.strerror}): choose another folder.") from error


def namespace_of(folder: Path) -> str:
    """Return the folder's name as an Avro namespace."""
    name = re.sub(r"[^a-z0-9]+", "_", folder.resolve().name.lower()).strip("_")[:50]
    if not name or name == "tidecast":
        return "myshop"
    return name if name[0].isalpha() else f"_{name}"[:50]


def sample() -> str:
    """Return two years of purchases as CSV, always the same. Each customer buys at its own pace, then stops."""
    chance = random.Random(1)
    start, end = datetime(2024, 1, 1, tzinfo=UTC), timedelta(weeks=WEEKS)
    rows = []
    for number in range(CUSTOMERS):
        pace, loyalty, basket = chance.uniform(7, 60), chance.uniform(40, 900), chance.uniform(10, 90)
        when, gone = timedelta(days=chance.uniform(0, 364)), chance.expovariate(1 / loyalty)
        leaves = when + timedelta(days=gone)
        while when <= min(leaves, end):
            euros = max(1.0, basket * chance.lognormvariate(0, 0.5))
            channel = chance.choices(("app", "web", "store"), (0.2 + loyalty / 900, 0.5, 0.3))[0]
            rows.append((start + when, f"c{number:04}", f"{euros:.2f}", channel))
            when += timedelta(days=chance.expovariate(1 / pace))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("order", "customer", "time", "euros", "channel"))
    for order, (moment, customer, spent, channel) in enumerate(sorted(rows), 1):
        writer.writerow((f"o{order:05}", customer, moment.isoformat(timespec="seconds"), spent, channel))
    return text.getvalue()
