"""`tidecast size`: estimate cores, memory, partitions, bytes and money for a load."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from agents.cli.define.load_options import (
    ASKED,
    COMING,
    KEPT,
    MACHINES,
    alike,
    declared_load,
    load_of,
    mix_of,
    multiples,
    refuse_both,
)
from agents.formatting import as_json
from agents.sizing.advice import changes, limits, unsized
from agents.sizing.constants import Constants, read_measured
from agents.sizing.estimate import Estimate, estimate
from agents.sizing.load import GIB, Hardware, Prices
from agents.sizing.report import COMPUTE_HEADS, STORAGE_HEADS, comparison, compute_rows, storage_rows, summary, totals


@click.command()
@click.option("--use-case", metavar="REF", help="Name or path: targets, arms and features are the declared ones.")
@click.option(
    "--mix",
    multiple=True,
    metavar="EVENT=SHARE",
    callback=mix_of,
    help="Share of an event type.",
)
@click.option("--times", metavar="N,N", callback=multiples, help="Estimate also for multiples of events and customers.")
@click.option("--json", "plain", is_flag=True, help="One JSON object.")
@COMING
@ASKED
@KEPT
@MACHINES
@click.pass_context
def command(
    context: click.Context,
    /,
    use_case: str | None,
    mix: Mapping[str, float],
    times: Sequence[float],
    plain: bool,
    **given: Any,
) -> None:
    """Estimate what a load needs: cores, workers, partitions, bytes in Redis, Kafka and ClickHouse, and money.

    The command connects to nothing. docs/sizing.md has the formulas and their constants.

    \b
    tidecast size --events 5k --customers 2M
    tidecast size --events 200 --customers 1M --use-case telecom --mix Complaint=0.001
    tidecast size --events 1k --times 10,100,1000
    tidecast size --events 5k --linear 2 --forests 1 --json | jq .estimates[0].workers
    """
    measured = read_measured()
    constants = Constants(**{each.name: each.value for each in measured})
    notes: list[str] = []
    if use_case is None:
        if mix:
            raise click.UsageError("--mix needs --use-case.")
        load = load_of(given, alike(given), given["features"], given["tick"])
    else:
        refuse_both(context)
        load, notes = declared_load(given, use_case, mix)
    hardware = Hardware(
        given["node_cores"], given["node_disk_tb"] * 1e12, given["redis_shard_gib"] * GIB, given["cache_customers"]
    )
    prices = Prices(given["core_hour"], given["memory_gb_month"], given["disk_gb_month"])
    factors = [1.0, *(factor for factor in times if factor != 1)]
    estimates = [(factor, estimate(load.times(factor), constants, hardware, prices)) for factor in factors]
    if left_out := unsized(estimates[0][1]):
        notes.append(f"The estimate leaves out {', '.join(left_out)}: no constants are measured of them yet.")
    guessed = [each.name for each in measured if each.provisional]
    if guessed:
        notes.append(
            f"{len(guessed)} of {len(measured)} constants are provisional (docs/sizing.md): "
            "this is an order of magnitude."
        )
    if plain:
        click.echo(as_json(_as_dict(estimates, constants, hardware, notes, guessed)))
    else:
        _show(estimates, constants, hardware, notes)


Estimates = Sequence[tuple[float, Estimate]]


def _as_dict(
    estimates: Estimates, constants: Constants, hardware: Hardware, notes: Sequence[str], guessed: Sequence[str]
) -> dict[str, Any]:
    """Return the JSON form of the estimates."""
    now = estimates[0][1]
    records = []
    for factor, found in estimates:
        record: dict[str, Any] = {"times": factor, **asdict(found)}
        record["redis"]["total"], record["money"]["per_month"] = found.redis.total, found.money.per_month
        record["limits"] = limits(found, constants)
        record["changes"] = [] if found is now else changes(now, found, hardware)
        records.append(_lists(record))
    return {
        "estimates": records,
        "notes": list(notes),
        "constants": {each.name: getattr(constants, each.name) for each in fields(constants)},
        "provisional": list(guessed),
    }


def _lists(value: Any) -> Any:
    """Turn tuples into lists, recursively."""
    if isinstance(value, dict):
        return {key: _lists(item) for key, item in value.items()}
    return [_lists(item) for item in value] if isinstance(value, list | tuple) else value


def _show(estimates: Estimates, constants: Constants, hardware: Hardware, notes: Sequence[str]) -> None:
    console = Console(width=None if sys.stdout.isatty() else 160, highlight=False, soft_wrap=True)
    now = estimates[0][1]
    console.print(summary(now.load, now), end="\n\n")
    console.print(_table(COMPUTE_HEADS, compute_rows(now)))
    console.print()
    console.print(_table(STORAGE_HEADS, storage_rows(now)))
    console.print()
    console.print(totals(now))
    _list(console, "Limits", limits(now, constants))
    if len(estimates) > 1:
        console.print()
        console.print(_table(*comparison(estimates)))
    for factor, found in estimates[1:]:
        advice = [*changes(now, found, hardware), *limits(found, constants)]
        _list(console, f"At {factor:g}×", advice)
    for note in notes:
        click.echo(f"Note: {note}", err=True)


def _list(console: Console, title: str, sentences: Sequence[str]) -> None:
    if sentences:
        console.print(f"\n{title}:")
    for sentence in sentences:
        console.print(f"  {sentence}", markup=False)


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for number, head in enumerate(heads):
        table.add_column(head, justify="right" if number else "left")
    for row in rows:
        table.add_row(*row)
    return table
