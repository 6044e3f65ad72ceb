"""Addresses of one Redis, of a cluster, and of a Redis that Sentinel watches."""

import re
from typing import NamedTuple
from urllib.parse import unquote

from streams.errors import SettingError

FORMS = (
    "redis://HOST:PORT/0, rediss://… with TLS, unix://PATH, redis+cluster://HOST:PORT,HOST:PORT or "
    "redis+sentinel://HOST:PORT,HOST:PORT/NAME"
)
_SEVERAL = re.compile(r"redis(s?)\+(cluster|sentinel)://(?:([^@/]*)@)?([^@/]+)(?:/([^/]+)(?:/(\d+))?)?/?")


class ManyServers(NamedTuple):
    """A cluster's nodes, or the Sentinels that know the primary of `name`. Each node: (host, port)."""

    secure: bool
    kind: str
    user: str
    password: str
    nodes: list[tuple[str, int]]
    name: str
    database: int


def many_servers(url: str) -> ManyServers | None:
    """Return what a URL of a cluster or of Sentinels names; None for the URL of one server. Raises SettingError, which
    does not show the URL: it may hold a password."""
    if "+" not in url.partition("://")[0]:
        return None
    found = _SEVERAL.fullmatch(url)
    if found is None or (found[2] == "sentinel") != bool(found[5]):
        raise SettingError(f"The Redis address is wrong; write {FORMS}.")
    user, _, password = (found[3] or "").partition(":")
    nodes = [_node(place) for place in found[4].split(",")]
    secure, kind, name, database = found[1] == "s", found[2], found[5] or "", int(found[6] or 0)
    return ManyServers(secure, kind, unquote(user), unquote(password), nodes, name, database)


def _node(place: str) -> tuple[str, int]:
    host, _, port = place.strip().rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65_536:
        raise SettingError(f"The Redis address is wrong: {place!r} is not HOST:PORT; write {FORMS}.")
    return host.strip("[]"), int(port)
