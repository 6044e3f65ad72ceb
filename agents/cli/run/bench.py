"""`tidecast bench`: run the benchmark in load/bench, which sees Tidecast from outside only."""

import os
import sys

import click


@click.command(add_help_option=False, context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def command(arguments: tuple[str, ...]) -> None:
    """Measure throughput, latency, CPU, bytes and recovery on servers of its own."""
    os.execv(sys.executable, [sys.executable, "-m", "load.bench", *arguments])
