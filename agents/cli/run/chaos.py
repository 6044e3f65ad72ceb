"""`tidecast chaos`: the harness of load/chaos, which knows Tidecast from outside only."""

import os
import sys

import click


@click.command(add_help_option=False, context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def command(arguments: tuple[str, ...]) -> None:
    """Break a system of its own on purpose and compare it with a calm replay."""
    os.execv(sys.executable, [sys.executable, "-m", "load.chaos", *arguments])
