"""`tidecast tail`: the records of a topic, decoded."""

import os
import sys
from collections.abc import Callable

import click
from rich.console import Console
from rich.text import Text

from agents.formatting import as_json, line, printable
from agents.kafka.schema_registry import HttpRegistry
from agents.kafka.tail_reader import TailReader, TailRecord, logical
from agents.settings import load_settings
from schemas import records
from schemas.catalog import load_schemas
from schemas.topics import TOPICS
from streams.avro.codec import Codec

COLOURS = {
    records.PREDICTION: "green",
    records.LABELLED_EXAMPLE: "cyan",
    records.DRIFT_ALERT: "bold red",
    records.MODEL_METRIC: "blue",
    records.TICK: "dim",
    records.PAUSE: "magenta",
    records.SWITCH: "magenta",
    records.DEPLOYMENT: "magenta",
    records.PROGRESS: "dim",
}


def _start(_context: click.Context, _option: click.Parameter, value: str) -> Callable[[int, int], int]:
    """Parse --from: return a function from (first offset kept, next offset) to the offset to start at."""
    if value == "beginning":
        return lambda low, high: low
    if value == "end":
        return lambda low, high: high
    try:
        number = int(value)
    except ValueError:
        raise click.BadParameter("write beginning, end, an offset, or -N for the last N") from None
    return (lambda low, high: high + number) if number < 0 else (lambda low, high: number)


@click.command()
@click.argument("topic", metavar="TOPIC")
@click.option(
    "--from",
    "start",
    default="end",
    show_default=True,
    callback=_start,
    metavar="PLACE",
    help="beginning, end, an offset, or -N for the last N of each partition.",
)
@click.option("--limit", type=click.IntRange(1), metavar="N", help="Stop after N records.")
@click.option("--no-follow", is_flag=True, help="Stop at the end instead of waiting for more.")
@click.option("--customer", metavar="ID", help="Only this customer's records.")
@click.option("--type", "kind", metavar="NAME", help="Only records of this name, such as Prediction or Tick.")
@click.option("--json", "plain", is_flag=True, help="One JSON object a line.")
def command(
    topic: str,
    start: Callable[[int, int], int],
    limit: int | None,
    no_follow: bool,
    customer: str | None,
    kind: str | None,
    plain: bool,
) -> None:
    """Show the records of TOPIC, one a line, and go on with new ones until ^C.

    \b
    tidecast tail predictions
    tidecast tail predictions --customer c-42 --from beginning
    tidecast tail customer-events --type Switch --from -100 --no-follow
    tidecast tail drift-alerts --from beginning --json
    """
    settings = load_settings()
    name = logical(settings, topic)
    several = TOPICS[name].partitions != 1
    console = Console(soft_wrap=True, highlight=False)
    shown = 0
    try:
        with HttpRegistry(settings) as registry, TailReader(settings, Codec(registry, load_schemas())) as follower:
            follower.start([name], start)
            while not (no_follow and follower.finished):
                for found in follower.next(0.2):
                    if not _wanted(found, customer, kind):
                        continue
                    _show(console, found, several, plain)
                    shown += 1
                    if shown == limit:
                        return
    except KeyboardInterrupt:
        return
    except BrokenPipeError:  # the reader of our pipe has closed it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _wanted(found: TailRecord, customer: str | None, kind: str | None) -> bool:
    if customer is not None and found.key != customer.encode() and found.record.get("customer_id") != customer:
        return False
    return kind is None or (found.name or "").rsplit(".", 1)[-1].lower() == kind.rsplit(".", 1)[-1].lower()


def _show(console: Console, found: TailRecord, several: bool, plain: bool) -> None:
    if plain:
        place = {"topic": found.topic, "partition": found.partition, "offset": found.offset}
        told = {"error": found.why} if found.name is None else {"type": found.name, **found.record}
        click.echo(as_json({**place, "timestamp": found.timestamp, **told}))
        sys.stdout.flush()
        return
    place_text = f"{found.partition}@{found.offset}" if several else str(found.offset)
    told_text = f"not readable: {printable(found.why)}" if found.name is None else line(found.name, found.record)
    text = Text(f"{place_text:<10} ", style="dim")
    text.append(told_text, style=COLOURS.get(found.name or "", "red" if found.name is None else "default"))
    if console.is_terminal:
        console.print(text, soft_wrap=True)
    else:
        click.echo(text.plain)
        sys.stdout.flush()
