"""Shared by `dead-letters` and `late-events`: options that select records, and how one record is shown."""

import base64
import os
import re
import time
from collections.abc import Callable, Iterable
from datetime import UTC
from heapq import nlargest
from typing import Any

import click

from agents.dead_letters.rejected import RecordT, Rejected, key_text
from agents.formatting import as_json, moment, printable
from agents.importing.values.misfit import Misfit
from agents.importing.values.times import time_converter
from schemas.catalog import Decoded
from streams.errors import DeclarationError, SettingError, Undecodable
from streams.features.window import duration_ms

ID = re.compile(r"[0-9]{1,19}(\.[0-9]{1,19}){3}")
DUMPED = 4096
"""Bytes of a value that are shown as hex; base64 and --json show all."""


def _time(_context: click.Context, _option: click.Parameter, value: str | None) -> int | None:
    """Parse `2h` (ago) or a time in ISO 8601; return ms."""
    if value is None:
        return None
    try:
        return int(time.time() * 1000) - duration_ms(value)
    except DeclarationError:
        pass
    try:
        found: int = time_converter(None, UTC)(value)
    except Misfit:
        raise click.BadParameter("write a span such as 2h (that long ago), or a time in ISO 8601 (UTC)") from None
    return found


def _customer(_context: click.Context, _option: click.Parameter, value: str | None) -> str | None:
    """Return the key as it is shown: bytes that are not UTF-8 in hex."""
    return None if value is None else key_text(os.fsencode(value))


def _id(_context: click.Context, _argument: click.Parameter, value: Any) -> Any:
    """Check one id or several."""
    for id in (value,) if isinstance(value, str) else value:
        if not ID.fullmatch(id):
            raise click.BadParameter(
                f"{id!r} is not an id; an id looks like 1767225600.3.81233.0 (epoch.partition.offset.n)"
            )
    return value


def selection_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options --since, --until, --partition and --customer to a command."""
    options = (
        click.option("--since", callback=_time, metavar="TIME", help="Rejected since then: 2h, 7d, or ISO 8601."),
        click.option("--until", callback=_time, metavar="TIME", help="Rejected before then."),
        click.option("--partition", type=click.IntRange(0), metavar="N", help="Only of this partition."),
        click.option("--customer", callback=_customer, metavar="ID", help="Only with this key (0x… if not text)."),
    )
    for option in reversed(options):
        command = option(command)
    return command


one_id = click.argument("id", metavar="ID", callback=_id)
several_ids = click.argument("ids", metavar="[ID]...", nargs=-1, callback=_id)


def newest(rejected: Iterable[Rejected[RecordT]], most: int) -> list[Rejected[RecordT]]:
    """Return the records that were rejected last, latest first."""
    return nlargest(most, rejected, key=lambda one: (one.at, one.record["source"]["offset"], one.id))


def only(rejected: Iterable[Rejected[RecordT]], id: str, command: str) -> Rejected[RecordT]:
    """Return the record with that id. Raises SettingError when there is none."""
    found = next(iter(rejected), None)
    if found is None:
        raise SettingError(f"There is no record with the id {id}; `tidecast {command} list` shows the ids.")
    return found


def decoded(decode: Callable[[bytes | None], tuple[str, Decoded]], value: bytes | None) -> dict[str, Any]:
    """Decode the original by today's registry: its name and fields, or why it cannot be decoded."""
    try:
        name, record = decode(value)
    except Undecodable as refused:
        return {"why": refused.detail}
    return {"name": name, "record": record}


def to_json(rejected: Rejected[Any], today: dict[str, Any]) -> dict[str, Any]:
    """Return everything about a rejected record, for JSON."""
    value = rejected.value
    plain = {name: held for name, held in rejected.record.items() if name != "value"}
    bodies = None if value is None else {"hex": value.hex(), "base64": base64.b64encode(value).decode()}
    return {"id": rejected.id, "rejected_at": moment(rejected.at), **plain, "value": bodies, "today": today}


def show_value(value: bytes | None, today: dict[str, Any]) -> None:
    """Print the original bytes as hex and base64, and what they decode to by today's registry."""
    if value is None:
        click.echo("value       none")
    else:
        click.echo(f"value       {len(value):,} bytes")
        for place in range(0, min(len(value), DUMPED), 16):
            part = value[place : place + 16]
            text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in part)
            click.echo(f"  {place:06x}  {part.hex(' '):<47}  {text}")
        if len(value) > DUMPED:
            click.echo(f"  … {len(value) - DUMPED:,} bytes more (--json has all)")
        click.echo(f"base64      {base64.b64encode(value).decode()}")
    if "why" in today:
        click.echo(f"today       still not decodable: {printable(today['why'])}")
    else:
        click.echo(f"today       {today['name']} {as_json(today['record'])}")
