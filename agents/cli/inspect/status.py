"""`tidecast status`: where a running system stands."""

import sys
from dataclasses import asdict
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from agents.formatting import as_json, moment, printable, span
from agents.kafka.tail_reader import TailReader
from agents.operations.status import EVENTS, StatusReader, SystemStatus
from agents.preflight import Moment, PreflightFinding, Severity, Situation, ask
from agents.settings import load_settings
from agents.wiring import connect_system

TITLES = {Severity.STOPS: "Problem", Severity.HARMS: "Warning", Severity.NOTE: "Note"}


@click.command()
@click.option("--use-case", envvar="TIDECAST_USE_CASE", metavar="REF", help="Name or path; default: the deployed one.")
@click.option("--partitions", "each", is_flag=True, help="Positions of every partition, not sums.")
@click.option("--json", "plain", is_flag=True, help="One JSON object, with every partition.")
def command(use_case: str | None, each: bool, plain: bool) -> None:
    """Show deployment, positions, lag, accounting, serving versions, fallbacks and open alerts.

    Positions come from the stores, not from Kafka's groups. Learners' positions are those of their last snapshots.
    Lag is what lies between what is processed and the end of the log, and counts what cannot be read yet. What keeps
    the system from going on stands first. What keeps a stage from starting, or puts data at risk, stands at the end.

    \b
    tidecast status
    tidecast status --partitions
    tidecast status --json | jq .counters
    """
    settings = load_settings()
    wiring = connect_system(settings, use_case)
    with TailReader(settings, wiring.codec) as follower:
        observer = StatusReader(wiring, follower)
        status = observer.look()
        status.open_alerts = observer.alerts(follower)
    status.findings = ask(Situation.of(wiring, Moment.STATUS))
    if plain:
        click.echo(as_json(as_told(status)))
    else:
        _show(status, each)


def as_told(status: SystemStatus) -> dict[str, Any]:
    """Return the JSON form, with times as text."""
    told = asdict(status)
    told["watermark"] = moment(status.watermark)
    told["ticks"] = {str(partition): moment(tick) for partition, tick in status.ticks.items()}
    told["published"] = status.published
    return told


def _show(status: SystemStatus, each: bool) -> None:
    console = Console(width=None if sys.stdout.isatty() else 160, highlight=False)
    age = "" if status.tick_age is None else f" ({span(max(0, status.tick_age) / 1000)} ago)"
    console.print(
        f"[bold]{status.use_case}[/], deployment {status.deployment_id}, log epoch {status.epoch}\n"
        f"last tick {moment(_last_tick(status))}{age}, watermark {moment(status.watermark)} (event time)"
    )
    for problem in status.problems:
        console.print(problem, style="bold red", markup=False, soft_wrap=True)
    if status.paused:
        console.print(_paused(status))
    console.print(_accounting(status))
    console.print()
    console.print(_positions(status, each))
    console.print()
    console.print(_serving(status) if status.serving else "No model has been switched to yet.")
    console.print()
    if status.fallbacks:
        console.print(_fallbacks(status))
        console.print()
    console.print(f"Open alerts: {len(status.open_alerts)}" + (":" if status.open_alerts else "."))
    for alert in status.open_alerts:
        console.print(f"  {alert['severity']} {alert['kind']}: {printable(alert['message'])}", markup=False)
    for note in status.notes:
        click.echo(f"Note: {note}", err=True)
    for finding in status.findings:
        click.echo(told(finding))


def told(finding: PreflightFinding) -> str:
    """Return a finding as a line for a person."""
    return f"{TITLES[finding.severity]}: {finding.text}"


def _last_tick(status: SystemStatus) -> int | None:
    """Return the last tick of the partition that is furthest behind; None before every partition has had one."""
    ticks = [tick for tick in status.ticks.values() if tick is not None]
    return min(ticks) if ticks and len(ticks) == len(status.ticks) else None


def _paused(status: SystemStatus) -> str:
    who = set(status.paused.values())
    by = (
        "a worker, until events come again"
        if who == {"worker"}
        else "`tidecast log pause`, until `tidecast log resume`"
    )
    return f"[bold]time stands still[/] in {len(status.paused)} of {len(status.ticks)} partitions, by {by}"


def _accounting(status: SystemStatus) -> str:
    counters = status.counters
    parts = " + ".join(f"{counters.get(name, 0):,} {name}" for name in EVENTS)
    conflicts = counters.get("conflicts", 0)
    told = f" ({conflicts:,} with an id that another record of the customer has)" if conflicts else ""
    unasked = counters.get("unasked", 0)
    return (
        f"published {status.published:,} = {parts}{told}\n"
        f"{counters.get('predictions', 0):,} predictions, {counters.get('examples', 0):,} labelled examples, "
        f"{counters.get('controls', 0):,} control records, {counters.get('unmatched', 0):,} outcomes without a question"
        + (f"\n{unasked:,} scheduled questions were not asked: they lay in empty or paused time" if unasked else "")
    )


def _positions(status: SystemStatus, each: bool) -> Table:
    table = Table("stage", "topic", box=None)
    for name in ("partition", "position", "lag") if each else ("partitions", "position", "lag"):
        table.add_column(name, justify="right")
    if each:
        for place in status.places:
            table.add_row(place.stage, place.topic, str(place.partition), f"{place.next_offset:,}", f"{place.lag:,}")
        return table
    sums: dict[tuple[str, str], list[int]] = {}
    for place in status.places:
        row = sums.setdefault((place.stage, place.topic), [0, 0, 0])
        for number, value in enumerate((1, place.next_offset, place.lag)):
            row[number] += value
    for (stage, topic), row in sums.items():
        table.add_row(stage, topic, *(f"{value:,}" for value in row))
    return table


def _serving(status: SystemStatus) -> Table:
    table = Table("target", "arm", "serving version", "switched (event time)", "partitions", box=None)
    for arm in status.serving:
        age = "-" if arm.age is None else f"{span(arm.age / 1000)} ago" if arm.age else "since the last tick"
        table.add_row(arm.target, arm.arm, arm.version, age, str(arm.partitions))
    return table


def _fallbacks(status: SystemStatus) -> Table:
    table = Table("target", "arm", "not answered by its version", box=None)
    for name in ("answers", "of the questions"):
        table.add_column(name, justify="right")
    for each in status.fallbacks:
        arm = f"{each.arm} (champion)" if each.is_champion else each.arm
        table.add_row(each.target, arm, each.cause, f"{each.answers:,}", f"{each.share:.1%}")
    return table
