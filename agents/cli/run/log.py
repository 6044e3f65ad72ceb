"""`tidecast log`: commands to the log, as records in it."""

import sys

import click

from agents.settings import load_settings


@click.group()
def command() -> None:
    """Pause the time of the log, let it go on, or pass over one control record at which scoring stands.

    Each is a signed record, so that a replay does the same at the same place.

    \b
    tidecast log pause --reason "the shop's gateway is down"
    tidecast log resume
    tidecast log skip 3 81233 --reason "a switch of another system"
    """


@command.command()
@click.option("--reason", default="", metavar="TEXT", help="Why; it stands in the record.")
def pause(reason: str) -> None:
    """Stop the time of all partitions: nothing is asked, no horizon closes, and open questions get more time.

    Events are still taken and answered. Use it before the producers stop, so that their silence is not learnt as
    customers leaving. On a wall clock workers do the same by themselves after a silence (`pause_after` of the use
    case); such a pause ends by itself, and this one only with `tidecast log resume`.

    \b
    tidecast log pause --reason "maintenance of the shop"
    """
    count = _set_paused(True, reason)
    click.echo(f"Time stands still in {count} partitions. `tidecast log resume` lets it go on.")


@command.command()
@click.option("--reason", default="", metavar="TEXT", help="Why; it stands in the record.")
def resume(reason: str) -> None:
    """Let the time of all partitions go on at the next tick. Schedules ask nothing within the pause.

    \b
    tidecast log resume
    """
    click.echo(f"Time goes on in {_set_paused(False, reason)} partitions, at their next ticks.")


@command.command()
@click.argument("partition", type=click.IntRange(0), metavar="PARTITION")
@click.argument("offset", type=click.IntRange(0), metavar="OFFSET")
@click.option("--reason", default="", metavar="TEXT", help="Why; it stands in the record.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def skip(partition: int, offset: int, reason: str, yes: bool) -> None:
    """Pass over the control record at OFFSET of PARTITION of customer-events, at which scoring stands.

    It becomes a dead letter. This is for a record that is rightly signed and cannot be obeyed, such as a switch to a
    snapshot that is lost, or the deployment of another system. Stop the scoring workers first, and start them again
    afterwards: they read what to pass over at their start.

    \b
    tidecast status --partitions
    tidecast log skip 3 81233 --reason "a switch of another system"
    """
    from agents.formatting import line
    from agents.kafka.consumer_groups import refuse_members
    from agents.operations.log_commands import poisoned
    from agents.operations.log_commands import skip as pass_over
    from agents.stages import SCORING

    settings = load_settings()
    found = poisoned(settings, partition, offset)
    refuse_members(settings, [SCORING.group], command="tidecast log skip")
    click.echo(line(found.name, found.fields))
    if not yes and sys.stdin.isatty():
        click.confirm("Pass over this record, for ever?", abort=True)
    pass_over(settings, found, reason, "tidecast log skip")
    click.echo("It is passed over: start the scoring workers again.")


def _set_paused(paused: bool, reason: str) -> int:
    from agents.operations.log_commands import set_paused

    return set_paused(load_settings(), paused, reason, f"tidecast log {'pause' if paused else 'resume'}")
