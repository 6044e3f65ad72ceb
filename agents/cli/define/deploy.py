"""`tidecast deploy`: put a use case in force."""

import re
from pathlib import Path

import click

from agents.operations.deploy import Deployed, DeploymentPlan
from agents.settings import REMEMBERED, Settings, load_settings, writable
from sinks.clickhouse.client import WRITING, connect
from sinks.clickhouse.migrate import migrate
from streams.usecases import load_use_case

UNITS_MS = {"h": 3_600_000, "d": 86_400_000, "w": 604_800_000}


def _retention(_context: click.Context, _option: click.Parameter, value: str | None) -> int | None:
    """Parse a duration; return milliseconds, -1 for ever."""
    if value is None or value == "forever":
        return None if value is None else -1
    found = re.fullmatch(r"([1-9][0-9]{0,5})([hdw])", value)
    if found is None:
        raise click.BadParameter("write a number and h, d or w, such as 90d, or 'forever'")
    return int(found[1]) * UNITS_MS[found[2]]


@click.command()
@click.argument("use_case")
@click.option(
    "--partitions",
    type=click.IntRange(1, 1024),
    help="Partitions of customer-events; only when the topics are created.  [default: 4]",
)
@click.option(
    "--retention",
    callback=_retention,
    metavar="SPAN",
    help="How long events, predictions, examples and alerts are kept, such as 90d.  [default: forever]",
)
@click.option(
    "--fix-topics", is_flag=True, help="Change settings of topics that somebody else made or changed, where needed."
)
def command(use_case: str, partitions: int | None, retention: int | None, fix_topics: bool) -> None:
    """Create topics and tables, register the schemas, and write the definitions of USE_CASE into the logs.

    USE_CASE is the name of a shipped use case, or the path of a folder or file that declares one. Nothing is
    written when the same definitions are in force. Changed definitions hold from their place in the log on.

    First everything is checked: whether every stage can go on, and what changed definitions would lose. Nothing is
    written when something would be lost. Workers may go on running: they end at the new place in the log, and new
    ones continue from there. Records that stopped workers have left are processed under the new definitions.

    \b
    tidecast deploy telecom
    tidecast deploy ./mine --partitions 12 --retention 400d
    tidecast deploy ./mine --fix-topics   # topics that were there before
    """
    settings = load_settings()
    declared = load_use_case(use_case)
    writable(settings.data)  # before anything is written
    plan = DeploymentPlan(settings, declared, partitions, retention, fix_topics)
    tables = migrate(
        connect(settings.clickhouse_database, WRITING, **settings.clickhouse()), settings.clickhouse_database
    )
    if tables:
        click.echo(f"Migrations in ClickHouse: {', '.join(tables)}.")
    show(plan.carry_out())
    remember(settings, use_case)


def remember(settings: Settings, use_case: str) -> None:
    """Remember the use case in the data folder, for `tidecast worker` and `publish`."""
    reference = str(Path(use_case).resolve()) if Path(use_case).exists() else use_case
    (writable(settings.data) / REMEMBERED).write_text(reference + "\n", encoding="utf-8")


def show(done: Deployed) -> None:
    """Print what was done."""
    now = done.deployment
    if done.topics:
        click.echo(f"Created {len(done.topics)} topics, customer-events with {now.partitions} partitions.")
    if done.fixed:
        click.echo(f"Changed the settings of {', '.join(done.fixed)}.")
    for change in done.changes:
        click.echo(f"  {change}")
    if done.changes:
        click.echo("Workers with the former definitions end when they reach this place in the log: start new ones.")
    for warning in done.warnings:
        click.echo(f"Warning: {warning}", err=True)
    targets = ", ".join(f"{name} ({number})" for name, number in now.target_partitions.items())
    if done.written:
        click.echo(f"{now.use_case} is in force as deployment {now.deployment_id}, log epoch {now.epoch}.")
        click.echo(f"Targets and their partitions of labelled-examples: {targets}.")
    else:
        click.echo(f"These definitions are in force already ({now.use_case}, {now.deployment_id}).")
