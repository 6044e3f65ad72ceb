"""Translates redis-py's errors: to Unavailable (wait and try again) or SettingError (a person must act).

A server's error begins with a code ("OOM command not allowed …"). redis-py moves the codes that it knows from the text
to `status_code`; the others stay in the text. Redis 6 wraps an error inside a script in another one."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import redis
from redis import exceptions
from redis.cluster import RedisCluster
from redis.sentinel import SentinelConnectionPool

from streams.errors import SettingError, Unavailable

AWAY = "does not answer; check that it runs, and TIDECAST_REDIS_URL"
REFUSED = "refused a command; it must be Valkey, or Redis 6.2 or newer"
_CREDENTIALS = "check TIDECAST_REDIS_USER and TIDECAST_REDIS_PASSWORD, or user and password in TIDECAST_REDIS_URL"
_CLUSTER = "is a node of a cluster; set TIDECAST_REDIS_URL to redis+cluster://HOST:PORT,HOST:PORT with its nodes"
WAITS = {
    "BUSY": "runs a script that blocks all other commands; end it with SCRIPT KILL",
    "UNKILLABLE": "runs a script that has written and cannot be ended; wait for its end",
    "CLUSTERDOWN": "belongs to a cluster that does not serve all of its slots; bring its nodes back",
    "LOADING": "is loading its data",
    "MASTERDOWN": "is a replica without its primary; bring the primary back",
    "MISCONF": "cannot write to its disk; free some space there",
    "NOREPLICAS": "has fewer replicas than min-replicas-to-write asks for; bring them back",
    "OOM": "is full; give it more memory (maxmemory)",
    "READONLY": "is a read-only replica; set TIDECAST_REDIS_URL to the primary unless a failover is under way",
    "TRYAGAIN": "belongs to a cluster that is moving this slot",
    "max number of clients": "has no connection left; raise maxclients, or end clients that are not needed",
}
"""Codes of errors that pass by themselves, or when an operator acts. Nothing is lost meanwhile."""
ENDS = {
    "NOAUTH": f"asks for a password; {_CREDENTIALS}",
    "WRONGPASS": f"refuses the user or the password; {_CREDENTIALS}",
    "NOPERM": "forbids its user what Tidecast does; give that user the rights that docs/redis.md lists",
    "MOVED": _CLUSTER,
    "ASK": _CLUSTER,
    "CROSSSLOT": _CLUSTER,
    "WRONGTYPE": "holds other data under our keys; use another database, or another TIDECAST_TOPIC_PREFIX",
}
"""Codes of errors that stay until a person changes a setting."""
_KNOWN = re.compile(rf"\b({'|'.join([*WAITS, *ENDS])})\b")
_NO_RIGHT_IN_SCRIPT = ("ACL failure in script", "The user executing the script can't")
"""Messages of servers inside a script that mean NOPERM."""
_DENIED = (exceptions.AuthenticationError, exceptions.AuthorizationError)
"""Subclasses of ConnectionError that are not temporary."""


@contextmanager
def redis_errors(client: redis.Redis) -> Iterator[None]:
    """Translate redis-py's errors inside the block to Unavailable or SettingError."""
    try:
        yield
    except (exceptions.RedisError, exceptions.RedisClusterException) as error:
        raise translated(error, address(client)) from error


def translated(
    error: exceptions.RedisError | exceptions.RedisClusterException, place: str
) -> Unavailable | SettingError:
    """Return the error to raise for one of redis-py, or for an error reply in a pipeline. `place`: see `address`."""
    words = (
        str(error).rpartition("of pipeline caused error: ")[2].rstrip(". ")
    )  # the text before it names the command and its keys
    if isinstance(error, exceptions.RedisClusterException):
        # Nodes that do not answer, or slots without a node, as during a failover.
        return Unavailable(f"Redis at {place} {WAITS['CLUSTERDOWN']}. Tidecast tries again. Details: {words or error}.")
    code = _code(error, words)
    if code in ENDS:
        return SettingError(f"Redis at {place} {ENDS[code]}. Details: {words}.")
    if code in WAITS or isinstance(error, (exceptions.ConnectionError, exceptions.TimeoutError)):
        return Unavailable(f"Redis at {place} {WAITS.get(code, AWAY)}. Tidecast tries again. Details: {words}.")
    return SettingError(f"Redis at {place} {REFUSED}. Details: {words}.")


def address(client: redis.Redis) -> str:
    """Return the address that the client connects to, without user and password."""
    if isinstance(client, RedisCluster):
        return "the cluster of " + ",".join(sorted(node.name for node in client.get_nodes()))
    pool = client.connection_pool
    if isinstance(pool, SentinelConnectionPool):
        return f"the primary of {pool.service_name}"
    options = pool.connection_kwargs
    return str(options.get("path") or f"{options.get('host', 'localhost')}:{options.get('port', 6379)}")


def _code(error: exceptions.RedisError, words: str) -> str:
    """Return the code of an error in WAITS or ENDS; "" for any other."""
    first = words.split(" ", 1)[0]
    for code in (error.status_code, first):
        if code in WAITS or code in ENDS:
            return str(code)
    if any(told in words for told in _NO_RIGHT_IN_SCRIPT):
        return "NOPERM"
    if found := _KNOWN.search(words):
        return found[1]
    return "WRONGPASS" if isinstance(error, _DENIED) else ""
