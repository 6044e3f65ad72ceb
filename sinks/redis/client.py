"""Connects to Redis, and checks that the server drops no data."""

from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from sinks.redis.errors import address, redis_errors
from streams.errors import SettingError

CONNECT_TIMEOUT = 5.0  # seconds
REPLY_TIMEOUT = 30.0  # seconds; a script over 50,000 keys takes 0.2


def connect(url: str, **options: Any) -> redis.Redis:
    """Return a client for a `redis://`, `rediss://` or `unix://` URL, with redis-py's options for user and TLS.

    It connects at the first command."""
    try:
        return redis.Redis.from_url(
            url,
            socket_connect_timeout=CONNECT_TIMEOUT,
            socket_timeout=REPLY_TIMEOUT,
            decode_responses=False,
            # One retry, for a stale connection. The stage runner retries outages by itself.
            retry=Retry(NoBackoff(), 1),
            **options,
        )
    except ValueError as error:
        raise SettingError(
            f"The Redis address is wrong: {error}; write redis://HOST:PORT/0, rediss://… or unix://PATH."
        ) from error


OLDEST = (6, 2)
"""The oldest version of Redis with all commands that are used. Valkey names the version it is compatible with."""


def check_server(client: redis.Redis) -> None:
    """Raise SettingError for a server that is too old, or would drop state when its memory is full."""
    with redis_errors(client):
        policy = str(client.info("memory").get("maxmemory_policy", "noeviction"))
        version = str(client.info("server").get("redis_version", ""))
    if policy != "noeviction":
        raise SettingError(
            f"Redis at {address(client)} may drop state: its maxmemory-policy is {policy}; "
            "set it to noeviction (CONFIG SET maxmemory-policy noeviction, and in its configuration)."
        )
    if is_older(version, OLDEST):
        raise SettingError(
            f"Redis at {address(client)} is version {version}: use Valkey, or Redis {'.'.join(map(str, OLDEST))} or "
            "newer; it reads the old server's files."
        )


def is_older(version: str, than: tuple[int, ...]) -> bool:
    """Return whether a version such as "6.0.16" is older; False for one that cannot be read."""
    numbers = [int(part) for part in version.split(".")[: len(than)] if part.isdigit()]
    return len(numbers) == len(than) and tuple(numbers) < than
