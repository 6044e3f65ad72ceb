"""`python -m load.customers`: publish a scenario to a running system, or only create it to see how fast that is."""

import json
import sys
import time
from dataclasses import asdict
from math import isnan
from typing import Any

import click

from load.cli_types import Finite
from load.customers.behaviour import CustomerBehaviour
from load.customers.encoding import MAX_CUSTOMERS
from load.customers.publishing import PacedPublisher
from load.customers.scenarios import SCENARIOS
from load.customers.schedule import EventSchedule
from load.customers.schema import layouts
from load.customers.stream import EventStream
from load.ticks import signed_tick, tick_key
from load.wire import Wire, prefixed, stack_addresses
from schemas.records import TICK

MAX_EVENTS_PER_DAY = 50_000_000
"""Events of one day of event time, which are drawn at once: about 50 bytes each."""


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("scenario", type=click.Choice(list(SCENARIOS)), default="steady")
@click.option(
    "--customers",
    type=click.IntRange(1000, MAX_CUSTOMERS),
    default=48_000,
    show_default=True,
    help="Simulated customers.",
)
@click.option("--rate", type=Finite(1, 10_000_000), default=1000.0, show_default=True, help="Records per second.")
@click.option("--seconds", type=Finite(1, 10_000_000), default=60.0, show_default=True, help="Length of the run.")
@click.option("--days", type=Finite(1, 100_000), default=30.0, show_default=True, help="Event time of the whole run.")
@click.option("--seed", type=click.IntRange(0, 1023), default=1, show_default=True, help="Seed of the simulation.")
@click.option(
    "--partitions", type=click.IntRange(1), default=4, show_default=True, help="Partitions of customer-events."
)
@click.option("--dry", is_flag=True, help="Create the records as fast as possible, and discard them.")
def main(
    scenario: str, customers: int, rate: float, seconds: float, days: float, seed: int, partitions: int, dry: bool
) -> None:
    """Publish events of simulated customers (schema reference.Activity) at a rate that does not depend on the
    system.

    The same seed gives the same records. Prints what was published as JSON, with the best AUC that a model could
    have for "silent for the next 24 hours".

    \b
    python -m load.customers flash-sale --rate 5000 --seconds 120
    python -m load.customers steady --customers 1000000 --rate 150000 --dry
    """
    chosen = SCENARIOS[scenario]
    schedule = EventSchedule(rate, seconds, chosen.load, chosen.outage)
    if schedule.events / days > MAX_EVENTS_PER_DAY:
        raise click.UsageError(
            f"{schedule.events:,} events in {days:g} days are too many for one day at a time: raise --days"
        )
    behaviour = CustomerBehaviour(customers, seed, schedule.events / days, chosen.skew, chosen.rings)
    if dry:
        stream = EventStream(behaviour, chosen, schedule.events, seed, ((bytes(5), b""), (bytes(5), b"\0")))
        began, records = time.process_time(), 0
        for chunk in stream:
            records += len(chunk.keys)
        report: dict[str, Any] = {"records": records, "per_cpu_second": round(records / (time.process_time() - began))}
    else:
        stack = stack_addresses()
        stream = EventStream(
            behaviour, chosen, schedule.events, seed, layouts(stack["registry"], chosen.new_schema_at is not None)
        )
        publisher = PacedPublisher(stack["kafka"], prefixed("customer-events"), _ticks(stack, partitions))
        report = asdict(publisher.run(stream, schedule))
    best_auc = None if isnan(stream.best.auc) else round(stream.best.auc, 4)
    click.echo(json.dumps({"scenario": scenario, "best_auc": best_auc, **report}))
    sys.exit(1 if report.get("lost") else 0)


def _ticks(stack: dict[str, Any], partitions: int) -> Any:
    wire, key = Wire(stack["registry"]), tick_key(stack)

    def tick(moment: int) -> list[tuple[int, bytes]]:
        ticks = [signed_tick(moment, "load.customers", key, partition) for partition in range(partitions)]
        return [(partition, wire.encode(TICK, record)) for partition, record in enumerate(ticks)]

    return tick


if __name__ == "__main__":
    main()
