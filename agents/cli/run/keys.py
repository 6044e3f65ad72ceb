"""`tidecast keys`: make signing keys, and those of publishers."""

import secrets
import time

import click

from agents.keyring import ID
from agents.settings import load_settings
from streams.errors import SettingError
from streams.keys import TICKS


@click.group()
def command() -> None:
    """Make signing keys, and those of publishers.

    Another key is put in force without downtime: give all processes the new one behind the former, restart them, put
    it in front, run `tidecast deploy`, and restart them again. docs/keys.md has the details.

    \b
    tidecast keys new            # ID=SECRET, for TIDECAST_SIGNING_KEYS
    tidecast keys ticks          # for TIDECAST_TICK_KEYS of a publisher that holds no signing key
    """


@command.command("new")
@click.argument("id", default=lambda: time.strftime("%Y-%m-%d"), metavar="[ID]")
def new_command(id: str) -> None:
    """Print a new key, as TIDECAST_SIGNING_KEYS takes it. ID is today's date by default.

    \b
    tidecast keys new
    """
    if not ID.fullmatch(id):
        raise click.BadParameter("write 1 to 32 letters, digits, '.', '_' or '-'")
    click.echo(f"{id}={secrets.token_hex(32)}")


@command.command("ticks")
def ticks_command() -> None:
    """Print the keys that sign ticks and nothing else, as TIDECAST_TICK_KEYS takes them.

    \b
    tidecast keys ticks
    """
    ring = [key for key in load_settings().keys.ring if key.id]
    if not ring:
        raise SettingError("There is no key with an id: set TIDECAST_SIGNING_KEYS first (`tidecast keys new`).")
    click.echo(",".join(f"{key.id}={key.parts[TICKS].hex()}" for key in ring))
