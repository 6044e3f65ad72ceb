"""`tidecast stack`: start, show and stop the local servers."""

import os
import sys
import time
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from agents.stack import process
from agents.stack.place import PORT_NAMES, read_place
from agents.stack.supervise import PartStatus, down, status, up

PART_NAMES = ("kafka", "registry", "redis", "clickhouse")

data_option = click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    default=lambda: os.environ.get("TIDECAST_DATA", ".tidecast"),
    show_default="TIDECAST_DATA or ./.tidecast",
    help="Folder of the stack's data.",
)


@click.group()
def command() -> None:
    """Start, show and stop the local servers: Kafka, schema registry, Redis, ClickHouse.

    \b
    tidecast stack up                      # start the servers that do not run, on free or remembered ports
    tidecast stack up --port kafka=9092    # on a port of your choice
    tidecast stack status
    tidecast stack logs kafka --follow
    tidecast stack down                    # keeps the data
    tidecast stack down --wipe             # removes the data
    """


def _parse_ports(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> dict[str, int]:
    ports = {}
    for value in values:
        name, _sign, number = value.partition("=")
        if name not in PORT_NAMES or not number.isdigit():
            raise click.BadParameter(f"{value!r} is not NAME=NUMBER with a NAME of {', '.join(PORT_NAMES)}")
        ports[name] = int(number)
    return ports


def _parse_listeners(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> dict[int, str]:
    listeners = {}
    for value in values:
        port, _sign, told = value.partition(":")
        host, _sign, told_port = told.rpartition(":")
        if not all(number.isdigit() and 0 < int(number) < 65_536 for number in (port, told_port)):
            raise click.BadParameter(f"{value!r} is not PORT:ADVERTISED or PORT:HOST:ADVERTISED with ports as numbers")
        listeners[int(port)] = f"{host or '127.0.0.1'}:{told_port}"
    return listeners


@command.command("up")
@data_option
@click.option("--port-base", type=click.IntRange(1, 65_530), help="Use this port and the four after it.")
@click.option("--port", "ports", multiple=True, callback=_parse_ports, help="NAME=NUMBER, for one part.")
@click.option(
    "--kafka-listener",
    "listeners",
    metavar="PORT:[HOST:]ADVERTISED",
    multiple=True,
    callback=_parse_listeners,
    help="One more port of Kafka that tells clients to connect to ADVERTISED: for proxies and other host names.",
)
def up_command(data: Path, port_base: int | None, ports: dict[str, int], listeners: dict[int, str]) -> None:
    """Start every server that does not run, and return when all answer.

    Ports and listeners are remembered until others are given.

    \b
    tidecast stack up
    tidecast stack up --data /var/lib/tidecast --port-base 21000
    tidecast stack up --kafka-listener 21010:21011   # a proxy on 21011 leads to Kafka's 21010
    """
    begun = time.monotonic()
    place = up(data, click.echo, ports, port_base, listeners)
    click.echo(f"The stack in {place.folder} is up ({time.monotonic() - begun:.1f} s).")
    for name, address in place.addresses().items():
        click.echo(f"  {name:12} {address}")


@command.command("status")
@data_option
def status_command(data: Path) -> None:
    """Show each server with its state and health. Exit code 1 unless all are healthy.

    \b
    tidecast stack status
    """
    parts = status(data)
    table = Table("part", "state", "pid", "port", "uptime", "memory", "health", box=None)
    for part in parts:
        table.add_row(*_row(part))
    Console(width=None if sys.stdout.isatty() else 160).print(table)
    place = read_place(data)
    for part in parts:
        if part.state == "crashed":
            log = place.log(part.name)
            click.echo(f"\n{part.title} crashed; the last lines of {log}:", err=True)
            for line in process.last_lines(log):
                click.echo(f"  | {line}", err=True)
    if not all(part.healthy for part in parts):
        sys.exit(1)


def _row(part: PartStatus) -> list[str]:
    port = str(part.port or "-")
    if part.state != "running":
        return [part.name, part.state, "-", port, "-", "-", "-"]
    hours, seconds = divmod(int(part.uptime), 3600)
    uptime = f"{hours}:{seconds // 60:02}:{seconds % 60:02}"
    return [part.name, part.state, str(part.pid), port, uptime, f"{part.memory >> 20} MB", part.health]


@command.command("logs")
@click.argument("part", type=click.Choice(PART_NAMES), required=False)
@data_option
@click.option("--lines", "-n", default=20, show_default=True, help="Number of lines of each log.")
@click.option("--follow", "-f", is_flag=True, help="Keep showing new lines until ^C.")
def logs_command(part: str | None, data: Path, lines: int, follow: bool) -> None:
    """Show the last lines of the logs, of all servers or of one.

    \b
    tidecast stack logs
    tidecast stack logs kafka -n 100 --follow
    """
    place = read_place(data)
    names = [part] if part else list(PART_NAMES)
    ends = {}
    for name in names:
        log = place.log(name)
        ends[name] = log.stat().st_size if log.exists() else 0
        for line in process.last_lines(log, lines):
            click.echo(f"{name:10} | {line}")
    while follow:
        for name in names:
            ends[name] = _show_from(name, place.log(name), ends[name])
        time.sleep(0.2)


def _show_from(name: str, log: Path, offset: int) -> int:
    """Print the complete lines after `offset`; return the offset after them."""
    if not log.exists():
        return 0
    with log.open("rb") as file:
        file.seek(offset)
        complete, newline, _rest = file.read().rpartition(b"\n")
    for line in complete.decode(errors="replace").splitlines():
        click.echo(f"{name:10} | {line}")
    return offset + len(complete) + len(newline)


@command.command("down")
@data_option
@click.option("--wipe", is_flag=True, help="Remove the data, the ports and the signing key too.")
def down_command(data: Path, wipe: bool) -> None:
    """Stop the servers that `up` started, and nothing else.

    \b
    tidecast stack down
    tidecast stack down --wipe
    """
    ended = down(data, wipe)
    click.echo(f"Ended: {', '.join(ended)}." if ended else "No server was running.")
    if wipe:
        click.echo(f"The data in {data} is removed.")
