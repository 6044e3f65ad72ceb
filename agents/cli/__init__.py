"""The `tidecast` command: one module per subcommand, imported only when it is called."""

import errno
import importlib
import sys
from typing import Any

import click

from streams.errors import TidecastError

COMMANDS = {
    "compile": ("run", "Compile the kernels, which make scoring faster."),
    "stack": ("run", "Start, show and stop the local servers."),
    "keys": ("run", "Make signing keys, and those of publishers."),
    "init": ("define", "Create a use case to start from."),
    "check": ("define", "Validate a use case before the first event."),
    "size": ("define", "Estimate what a load needs: cores, memory, partitions, bytes, money."),
    "deploy": ("define", "Create topics, register schemas, and write the definitions into the logs."),
    "worker": ("run", "Run the stages."),
    "publish": ("define", "Publish events from a file."),
    "tail": ("inspect", "Show the records of a topic, decoded."),
    "customer": ("inspect", "Show a customer's features and latest predictions."),
    "sql": ("inspect", "Query the history in ClickHouse."),
    "status": ("inspect", "Show positions, lag, serving versions and accounting."),
    "dead-letters": ("inspect", "Show records that could not be processed, and send them again."),
    "late-events": ("inspect", "Show events that arrived too late."),
    "log": ("run", "Pause the time of the log, let it go on, or pass over one control record."),
    "rebuild": ("run", "Restore lost state from the logs."),
    "verify": ("inspect", "Replay the recorded logs and compare with the stores."),
    "chaos": ("run", "Inject faults into a system of its own, and compare it with an undisturbed replay."),
    "bench": ("run", "Measure throughput, latency, CPU, bytes and recovery."),
    "demo": ("run", "Run a simulated telecom, live in the terminal."),
}


FULL = (errno.ENOSPC, errno.EDQUOT)


class LazyGroup(click.Group):
    """Imports a subcommand from agents.cli.PACKAGE.NAME only when it is called, so that --help stays fast."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order in which people use them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command of that name; None when there is none."""
        if cmd_name not in COMMANDS:
            return None
        module = f"agents.cli.{COMMANDS[cmd_name][0]}.{cmd_name.replace('-', '_')}"
        command: click.Command = importlib.import_module(module).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the sentences of COMMANDS, so that no subcommand is imported for --help."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="tidecast")
def tidecast() -> None:
    """Customer events become live features, predictions that keep learning, and drift alerts.

    \b
    tidecast stack up                     # local Kafka, registry, Redis, ClickHouse
    tidecast deploy telecom               # topics, schemas, definitions
    tidecast worker                       # score, learn, judge, monitor, keep history
    tidecast publish calls.csv --mapping calls.toml
    tidecast tail predictions
    """


def main(argv: list[str] | None = None) -> Any:
    """Run the command line. Exit code 0: done; 1: an error, in one sentence on stderr; 2: wrong usage; 130: ^C."""
    try:
        return tidecast.main(args=argv, prog_name="tidecast")
    except TidecastError as error:
        click.echo(f"tidecast: {error}", err=True)
    except OSError as error:
        if error.errno not in FULL:
            raise
        click.echo(f"tidecast: no space left to write to ({error.strerror}): free some and run again.", err=True)
    sys.exit(1)
