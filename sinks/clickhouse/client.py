"""Connects to ClickHouse, and translates its errors to ours."""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import clickhouse_connect
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import Error, OperationalError

from streams.errors import SettingError, TidecastError, Unavailable

WRITING = {
    # The server must never drop a retried insert because it remembers the first try.
    "insert_deduplicate": "0",
    "async_insert": "0",
    # An import of many years touches more months than the default of 100.
    "max_partitions_per_insert_block": "0",
}
"""Settings of a connection that writes."""

READING = {"readonly": "2"}
"""Settings of a connection that only reads: no writes, no DDL; other settings may be changed."""

REFUSED = frozenset((192, 193, 194, 195, 492, 516))
"""Unknown user, wrong password, address not allowed, access entity not found, authentication failed."""
FORBIDDEN = frozenset((164, 497))
"""Readonly, access denied."""
ABSENT = frozenset((60, 81))
"""Unknown table or database."""
PASSING = frozenset((3, 159, 160, 201, 202, 203, 209, 210, 216, 241, 242, 243, 252, 319, 394, 425, 439, 999))
"""Too slow, too busy, disk full, out of memory, without its keeper, shutting down."""

UNREACHABLE_TIMEOUT_S = 5
ANSWER_TIMEOUT_S = 60


class NoTable(SettingError):
    """A table or the database does not exist."""


def connect(database: str, settings: dict[str, str] | None = None, **address: Any) -> Client:
    """Return a client whose default database is `database`, which need not exist yet.

    address: keywords of clickhouse_connect.get_client (host, port, username, password, TLS).
    Raises SettingError where the server refuses the user or its certificate is not trusted, and Unavailable where it
    does not answer."""
    keywords: dict[str, Any] = {
        "connect_timeout": UNREACHABLE_TIMEOUT_S,
        "send_receive_timeout": ANSWER_TIMEOUT_S,
        "autogenerate_session_id": False,  # A session is locked while a query runs; nothing here needs one.
        "show_clickhouse_errors": True,
    }
    if address.get("interface") == "chdb":  # the engine runs in this process, for tests and experiments
        keywords = {}
    clickhouse_connect.common.set_setting("max_error_size", 4_000)  # the cause stands at the end of the message
    logging.getLogger("clickhouse_connect").setLevel(logging.CRITICAL)  # it raises what it logs
    with clear_errors():
        client = clickhouse_connect.get_client(**keywords, settings=settings or {}, **address)
    client.database = database
    return client


@contextmanager
def clear_errors() -> Iterator[None]:
    """Translate errors of ClickHouse and the network inside the block to Unavailable, SettingError or TidecastError."""
    try:
        yield
    except Error as error:
        raise translated(error) from error
    except OSError as error:
        raise Unavailable(f"ClickHouse does not answer ({_short(str(error))}); check that it runs.") from error


def translated(error: Error) -> TidecastError:
    """Return the TidecastError that an error of clickhouse-connect translates to."""
    text = _short(str(error))
    code = error.code if error.code is not None else _code(str(error))
    if code in REFUSED:
        return _refused(text)
    if code in FORBIDDEN:
        return SettingError(f"ClickHouse does not allow this user or connection to do that ({text}).")
    if code in ABSENT:
        return NoTable(f"ClickHouse has no such table ({text}); check the name, or run `tidecast deploy`.")
    if code in PASSING:
        return Unavailable(f"ClickHouse cannot do that now ({text}).")
    if code is None:
        return _without_code(error, text)
    return TidecastError(f"ClickHouse rejected the statement: {text}.")


def _refused(text: str) -> SettingError:
    return SettingError(
        f"ClickHouse refuses the user ({text}); check TIDECAST_CLICKHOUSE_USER and TIDECAST_CLICKHOUSE_PASSWORD."
    )


def _without_code(error: Error, text: str) -> TidecastError:
    """Translate an error that the server did not send: of the network, of a proxy, or of the client."""
    status = re.search(r"HTTP status (\d+)", str(error))
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return SettingError("ClickHouse's certificate is not trusted; set TIDECAST_CA_FILE to the authority's.")
    if isinstance(error, OperationalError) or (status and status[1] in ("429", "500", "502", "503", "504")):
        return Unavailable(f"ClickHouse does not answer ({text}); check that it runs and TIDECAST_CLICKHOUSE_URL.")
    if status and status[1] in ("401", "403"):
        return _refused(text)
    if status:
        return SettingError(
            f"The server at TIDECAST_CLICKHOUSE_URL is not ClickHouse ({text}); check TIDECAST_CLICKHOUSE_URL."
        )
    return TidecastError(f"ClickHouse's client reports an error: {text}.")


def _code(text: str) -> int | None:
    found = re.search(r"\bCode: (\d+)", text)
    return int(found[1]) if found else None


def _short(text: str) -> str:
    """Return the server's message without the client's wrapping, in one line of at most 400 characters."""
    text = " ".join(text.split())
    found = re.search(r"DB::Exception: (.*)", text)
    text = (found[1] if found else text).removeprefix("DB::Exception: ")
    text = re.sub(r"\s*\(for url [^)]*\)", "", text)
    text = re.sub(r"\s*\(version [^()]*(\([^()]*\))?[^()]*\)\s*$", "", text).rstrip(" .")
    return text if len(text) <= 400 else text[:399] + "…"
