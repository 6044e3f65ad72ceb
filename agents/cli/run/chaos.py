"""`tidecast chaos`: run the harness in load/chaos, which sees Tidecast from outside only."""

import os
import sys

import click


@click.command(add_help_option=False, context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def command(arguments: tuple[str, ...]) -> None:
    """Inject faults into a system of its own, and compare it with an undisturbed replay."""
    os.execv(sys.executable, [sys.executable, "-m", "load.chaos", *arguments])
