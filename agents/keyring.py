"""Reads signing keys as settings hold them: `ID=SECRET,ID=SECRET`, or the path of a file with one on each line."""

import re
from collections.abc import Callable
from pathlib import Path

from streams.errors import SettingError
from streams.keys import TICKS, Key

ID = re.compile(r"[A-Za-z0-9._-]{1,32}")
LEAST = 16
"""Characters of a secret. `tidecast keys new` makes 64."""


def read_keys(text: str, setting: str, make: Callable[[str, bytes], Key]) -> list[Key]:
    """Return the keys of a setting, in order. Raises SettingError, which never shows a secret."""
    if text.startswith("/"):
        text = _content(text, setting)
    keys: list[Key] = []
    for number, entry in enumerate(re.split(r"[,\s]+", text.strip(", \n\t")) if text.strip() else (), 1):
        id, equals, secret = entry.partition("=")
        if not equals or not ID.fullmatch(id) or len(secret) < LEAST:
            raise SettingError(
                f"{setting} is wrong: entry {number} is not ID=SECRET with an id of letters, digits, '.', '_' and '-' "
                f"and a secret of at least {LEAST} characters; `tidecast keys new` makes one."
            )
        if any(key.id == id for key in keys):
            raise SettingError(f"{setting} is wrong: there are two keys {id!r}; give every key an id of its own.")
        keys.append(make(id, secret.encode()))
    return keys


def tick_key(id: str, derived: bytes) -> Key:
    """Return the key of a publisher, which signs ticks and nothing else. `derived`: as `tidecast keys ticks` prints it.

    Raises SettingError for other text."""
    try:
        return Key(id, {TICKS: bytes.fromhex(derived.decode())})
    except ValueError:
        raise SettingError(
            f"TIDECAST_TICK_KEYS is wrong: the key {id!r} is not hexadecimal; set what `tidecast keys ticks` prints."
        ) from None


def _content(path: str, setting: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise SettingError(f"{setting} names the file {path}, which cannot be read ({reason}); correct it.") from None
