"""`tidecast customer`: show what is known of one customer, and the latest predictions."""

import sys
from collections import Counter
from dataclasses import dataclass
from math import isfinite
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from agents.formatting import as_json, moment, number, printable, reasons
from agents.kafka.log_reader import LogReader
from agents.settings import load_settings
from agents.wiring import Wiring, connect_system
from schemas.records import PREDICTION, PredictionRecord
from schemas.topics import CUSTOMER_EVENTS, PREDICTIONS
from streams.errors import Undecodable
from streams.features.plan import FeaturePlan
from streams.log import TopicPartition
from streams.partitioner import partition_of
from streams.targets.observations import Observations
from streams.timeline import PartitionHeader

CHUNK = 10_000
"""Records read at once while reading backwards."""
FURTHEST = 200_000
"""Records of the partition that are searched for predictions before giving up."""


@dataclass(frozen=True, slots=True)
class Known:
    """A customer's state. clock: the time of the features, ms; open: open observations per target."""

    customer_id: str
    partition: int
    clock: int
    last_event: int
    features: dict[str, float]
    open: dict[str, int]


@click.command()
@click.argument("customer_id", metavar="ID")
@click.option("--use-case", envvar="TIDECAST_USE_CASE", metavar="REF", help="Name or path; default: the deployed one.")
@click.option("--predictions", "most", default=5, show_default=True, type=click.IntRange(0), help="How many to show.")
@click.option("--json", "plain", is_flag=True, help="One JSON object.")
def command(customer_id: str, use_case: str | None, most: int, plain: bool) -> None:
    """Show the features of customer ID as they are now, and the latest predictions. Exit code 1 if unknown.

    \b
    tidecast customer c-42
    tidecast customer c-42 --predictions 20 --json
    """
    settings = load_settings()
    wiring = connect_system(settings, use_case)
    known = known_of(wiring, customer_id)
    if known is None:
        click.echo(
            f"There is no state of customer {customer_id!r}; check the id, or the lag (tidecast status).", err=True
        )
        sys.exit(1)
    with LogReader(settings) as reader:
        predictions = latest_predictions(wiring, reader, customer_id, most)
    if plain:
        click.echo(as_json(_told(known, predictions)))
    else:
        _show(known, predictions)


def known_of(wiring: Wiring, customer_id: str) -> Known | None:
    """Return the customer's state, with features as of the partition's last tick; None when there is none."""
    partition = partition_of(customer_id, wiring.deployment.partitions)
    store = wiring.scoring_store
    found = store.load({partition: [customer_id]})[partition][customer_id]
    if found.state is None:
        return None
    plan = FeaturePlan(wiring.use_case)
    _, packed = store.positions([partition])[partition]
    header = PartitionHeader.unpack(packed)
    state = plan.stored.unpack(found.state, header.retained)
    tick = header.last_tick
    clock = max(state.clock, tick) if tick is not None else state.clock
    waiting = Counter(observation.target for observation in Observations.unpack(found.observations).waiting)
    features = dict(zip(plan.names, plan.vector(state, clock), strict=True))
    return Known(customer_id, partition, clock, state.clock, features, dict(waiting))


def latest_predictions(wiring: Wiring, reader: LogReader, customer_id: str, most: int) -> list[PredictionRecord]:
    """Return the customer's latest predictions, newest first, read from the end of the customer's partition."""
    place = TopicPartition(PREDICTIONS, partition_of(customer_id, wiring.deployment.partitions))
    low, end = reader.bounds(place)
    key, found = customer_id.encode(), dict[str, PredictionRecord]()
    lowest = max(low, end - FURTHEST)
    while len(found) < most and end > lowest:
        start = max(lowest, end - CHUNK)
        here = [record.value for record in reader.read(place, start, end) if record.key == key]
        for value in reversed(here):
            try:
                name, record = wiring.codec.decode(value)
            except Undecodable:
                continue
            if name == PREDICTION:
                prediction: PredictionRecord = record
                found.setdefault(prediction["prediction_id"], prediction)
        end = start
    return list(found.values())[:most]


def _told(known: Known, predictions: list[PredictionRecord]) -> dict[str, Any]:
    return {
        "customer_id": known.customer_id,
        "partition": known.partition,
        "clock": moment(known.clock),
        "last_event": moment(known.last_event),
        "features": known.features,
        "open_observations": known.open,
        "predictions": predictions,
    }


def _show(known: Known, predictions: list[PredictionRecord]) -> None:
    console = Console(width=None if sys.stdout.isatty() else 160, highlight=False)
    waiting = ", ".join(f"{count} of {target}" for target, count in known.open.items()) or "none"
    title = Text(printable(known.customer_id), style="bold")
    console.print(title.append(f", partition {known.partition} of {CUSTOMER_EVENTS}", style="not bold"))
    console.print(f"last event {moment(known.last_event)}, features as of {moment(known.clock)} (event time)")
    console.print(f"open observations: {waiting}\n")
    table = Table("feature", box=None)
    table.add_column("value", justify="right")
    for name, value in known.features.items():
        table.add_row(name, number(value) if isfinite(value) else "[dim]unknown[/]")
    console.print(table)
    if not predictions:
        console.print("\nno predictions yet")
        return
    table = Table("asked at", "by", "target", "answer", "arms", "why", box=None)
    for prediction in predictions:
        arms = ", ".join(f"{answer['arm']} {number(answer['value'])}" for answer in prediction["answers"])
        head = (moment(prediction["asked_at"]), prediction["asked_by"], prediction["target"])
        table.add_row(*head, number(prediction["value"]), arms, reasons(prediction["reasons"]))
    console.print()
    console.print(table)
