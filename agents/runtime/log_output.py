"""Sets up a worker's log. An outage is a few lines, not the thousands that client libraries write."""

import logging
from dataclasses import dataclass

from streams.errors import without_credentials

QUIET_S = 30.0
"""Seconds after a message in which similar ones are counted instead of shown."""
CHATTY = ("aiokafka", "urllib3")
"""Libraries that log many messages when a server is away; `agents.runtime.health` logs one."""
MANY = 200


@dataclass(slots=True)
class _Shown:
    at: float
    more: int = 0


class Repetitions(logging.Filter):
    """Shows a warning or error once in 30 s, and then how often it came meanwhile.

    Similar are: equal messages of one logger with equal exceptions, and all messages of one level from a chatty
    library. Messages below WARNING always pass. Attach it to a handler: a logger's filter does not see the messages
    of its children.
    """

    def __init__(self) -> None:
        super().__init__()
        self._shown: dict[tuple[str, int, str], _Shown] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether to show this record; add the number of suppressed ones to its message."""
        if record.levelno < logging.WARNING:
            return True
        now = record.created
        alike = _alike(record)
        last = self._shown.get(alike)
        if last is not None and now - last.at < QUIET_S:
            last.more += 1
            return False
        if last is not None and last.more:
            record.msg, record.args = f"{record.getMessage()} ({last.more} more like it since the last one shown)", ()
        self._shown[alike] = _Shown(now)
        if len(self._shown) > MANY:
            self._shown = {key: shown for key, shown in self._shown.items() if now - shown.at < QUIET_S}
        return True


def _alike(record: logging.LogRecord) -> tuple[str, int, str]:
    library = record.name.partition(".")[0]
    error = record.exc_info[1] if record.exc_info else None
    if library in CHATTY and error is None:
        return library, record.levelno, ""
    return record.name, record.levelno, f"{record.getMessage()} {error!r}"


class Discreet(logging.Formatter):
    """Shows no user and no password of a URL, also in tracebacks and in what libraries say."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the lines of a record."""
        return without_credentials(super().format(record))


def log_to_stderr(level: str, who: str) -> None:
    """Set up this process's log: lines on standard error that name the process."""
    handler = logging.StreamHandler()
    handler.addFilter(Repetitions())
    handler.setFormatter(Discreet(f"%(asctime)s {who} %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=level, handlers=[handler])
