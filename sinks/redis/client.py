"""Connecting to Redis, and checking that it keeps what it is given."""

from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from sinks.redis.errors import address, redis_errors
from streams.errors import SettingError

CONNECT_TIMEOUT = 5.0  # seconds
REPLY_TIMEOUT = 30.0  # seconds; a script over 50,000 keys takes 0.2


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
