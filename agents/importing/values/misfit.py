"""The error of a value or a row that does not fit, and how a value is quoted in it."""

from typing import Any

from streams.errors import TidecastError

LONGEST = 80
"""Most characters of a value that an error shows."""


class Misfit(TidecastError):
    """A value or a row does not fit; the message says why."""


def shown(value: Any) -> str:
    """Return a value as an error shows it: quoted, escaped, on one line and not too long."""
    text = value if isinstance(value, str) else str(value)
    return repr(text if len(text) <= LONGEST else text[:LONGEST] + "…")
