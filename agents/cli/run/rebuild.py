"""`tidecast rebuild`: make lost state again from the logs."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from agents.cli.progress import bar
from agents.runtime.hash_seed import fix_hashes
from agents.settings import load_settings
from agents.stages import LEARNING, STAGES
from streams.errors import TidecastError, Unavailable

if TYPE_CHECKING:
    from agents.operations.rebuild import Lost, Rebuilder

REBUILT = tuple(row.name for row in STAGES.values() if row.store.is_rebuilt)


@click.command()
@click.argument("stages", nargs=-1, type=click.Choice(REBUILT))
@click.option("--use-case", envvar="TIDECAST_USE_CASE", help="Name or path; default: what was deployed last.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def command(stages: tuple[str, ...], use_case: str | None, yes: bool) -> None:
    """Make again what Redis or the model store has lost, each stage from its own log: customers' state, snapshots of
    the models, metrics, profiles. The result is what was lost, byte for byte; nothing is sent that was sent before.

    Stop the workers of these STAGES (default: all) first. A rebuild that was interrupted goes on where it was. A
    learner is looked at by the snapshots that the log names; STAGES with `learning` goes through all of them and mends
    damaged ones too. History needs none of this: a worker fills an empty ClickHouse again by itself.

    Exit code 0 when nothing is missing any more, 1 when it cannot be made again (the message says why).

    \b
    tidecast rebuild
    tidecast rebuild scoring --yes
    tidecast rebuild learning && tidecast verify learning
    """
    fix_hashes()
    from agents.kafka.consumer_groups import refuse_members
    from agents.kafka.log_reader import LogReader
    from agents.operations.rebuild import Rebuilder
    from agents.runtime.slots import alone
    from agents.wiring import connect_system

    settings = load_settings()
    wiring = connect_system(settings, use_case)
    with alone(settings.data / "run", "rebuild"), LogReader(settings) as reader:
        rebuilder = Rebuilder(wiring, reader, wiring.emitter())
        found = rebuilder.find(stages or REBUILT, all_snapshots=LEARNING.name in stages)
        if not found:
            click.echo("Nothing is missing: every stage has the state that its group has reported.")
            return
        _plan(found)
        refuse_members(settings, sorted({lost.group for lost in found}))
        if not yes and sys.stdin.isatty():
            click.confirm("Make these again?", abort=True)
        _rebuild(rebuilder, found)
    click.echo("All is there again: start the workers; `tidecast verify` compares, if you like.")


def _plan(found: "Sequence[Lost]") -> None:
    for lost in found:
        if lost.missing is not None:
            what = f"{lost.missing} snapshots missing: {lost.records:,} records to learn again"
        elif lost.begin:
            what = f"is at {lost.begin:,} and was at {lost.end:,}: {lost.records:,} records to work off again"
        else:
            what = f"is lost: {lost.records:,} records to work off again"
        click.echo(f"{lost.name} {what}")


def _rebuild(rebuilder: "Rebuilder", found: "Sequence[Lost]") -> None:
    rebuilder.clear(found)
    for lost in found:
        try:
            with bar(lost.name, lost.records) as advance:
                rebuilder.rebuild(lost, advance)
        except Unavailable as away:
            raise TidecastError(
                f"{lost.name}: {away}; then run `tidecast rebuild` again, it goes on where it was."
            ) from None
        click.echo(f"{lost.name}: {lost.records:,} records")
    if rebuilder.snapshots.written:
        click.echo(f"{rebuilder.snapshots.written} snapshots written")
