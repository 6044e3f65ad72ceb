"""Connecting to Redis, checking that it keeps what it is given, and saying its errors in one sentence."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import redis
from redis import exceptions
from redis.backoff import NoBackoff
from redis.retry import Retry

from streams.errors import SettingError, Unavailable

CONNECT_TIMEOUT = 5.0  # seconds
REPLY_TIMEOUT = 30.0  # seconds; a script over 50,000 keys takes 0.2

# Codes of replies that pass by themselves or by an operator's hand, nothing being lost. Inside a script Redis 6
# wraps them in another message, so they are searched for, not compared.
_PASSING = re.compile(r"\b(BUSY|LOADING|READONLY|OOM|MISCONF|NOREPLICAS|MASTERDOWN|TRYAGAIN|CLUSTERDOWN|UNKILLABLE)\b")


def connect(url: str, **options: Any) -> redis.Redis:
    """A client for `redis://`, `rediss://` or `unix://` URLs, with redis-py's options for user, password and TLS;
    connects at the first command."""
    try:
        return redis.Redis.from_url(
            url,
            socket_connect_timeout=CONNECT_TIMEOUT,
            socket_timeout=REPLY_TIMEOUT,
            decode_responses=False,
            # Once, for a connection that went stale; whoever runs a stage waits and tries again itself.
            retry=Retry(NoBackoff(), 1),
            **options,
        )
    except ValueError as error:
        raise SettingError(
            f"The Redis address is not one: {error}; write redis://HOST:PORT/0, rediss://… or unix://PATH."
        ) from error


def check_server(client: redis.Redis) -> None:
    """Refuse a server that would throw state away when its memory is full (SettingError)."""
    with redis_errors(client):
        policy = str(client.info("memory").get("maxmemory_policy", "noeviction"))
    if policy != "noeviction":
        raise SettingError(
            f"Redis at {address(client)} may drop state: its maxmemory-policy is {policy}; "
            "set it to noeviction (CONFIG SET maxmemory-policy noeviction, and in its configuration)."
        )


def address(client: redis.Redis) -> str:
    """Where the client connects to, without user and password."""
    options = client.connection_pool.connection_kwargs
    return str(options.get("path") or f"{options.get('host', 'localhost')}:{options.get('port', 6379)}")


@contextmanager
def redis_errors(client: redis.Redis) -> Iterator[None]:
    """Turn what redis-py raises into Unavailable (wait, nothing is lost) or SettingError (a person must act)."""
    try:
        yield
    except exceptions.RedisError as error:
        raise translated(error, address(client)) from error


def translated(error: exceptions.RedisError, place: str) -> Unavailable | SettingError:
    """The error to raise for one of redis-py's, or for an error reply in a pipeline."""
    denied = (exceptions.AuthenticationError, exceptions.AuthorizationError, exceptions.NoPermissionError)
    if isinstance(error, denied):
        return SettingError(f"Redis at {place} refuses us: {error}; check the user and password in redis_url.")
    passing = (exceptions.ConnectionError, exceptions.TimeoutError, exceptions.ReadOnlyError)
    if isinstance(error, passing) or _PASSING.search(str(error)):
        return Unavailable(f"Redis at {place} does not take part now ({error}); it is tried again.")
    if "WRONGTYPE" in str(error):
        return SettingError(
            f"Redis at {place} holds other data under our keys ({error}); use another database or prefix."
        )
    return SettingError(f"Redis at {place} refused a command ({error}); check its version (6.2 or newer) and rights.")
