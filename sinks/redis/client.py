"""Connects to Redis, and checks that the server drops no data."""

from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.cluster import ClusterNode, RedisCluster
from redis.exceptions import RedisClusterException, RedisError
from redis.retry import Retry
from redis.sentinel import Sentinel

from sinks.redis.addresses import FORMS, ManyServers, many_servers
from sinks.redis.errors import address, redis_errors, translated
from streams.errors import LogGap, SettingError

CONNECT_TIMEOUT = 5.0  # seconds
REPLY_TIMEOUT = 30.0  # seconds; a script over 50,000 keys takes 0.2


def connect(url: str, **options: Any) -> redis.Redis:
    """Return a client for an address in one of the forms of sinks.redis.addresses, with redis-py's options for user and
    TLS.

    It connects at the first command; to a cluster at once. Raises Unavailable when no node of a cluster answers."""
    options = {
        "socket_connect_timeout": CONNECT_TIMEOUT,
        "socket_timeout": REPLY_TIMEOUT,
        "decode_responses": False,
        # One retry, for a stale connection. The stage runner retries outages by itself.
        "retry": Retry(NoBackoff(), 1),
        **options,
    }
    many = many_servers(url)
    if many is not None:
        return _connect_many(many, options)
    try:
        return redis.Redis.from_url(url, **options)
    except ValueError as error:
        raise SettingError(f"The Redis address is wrong: {error}; write {FORMS}.") from error


def _connect_many(many: ManyServers, options: dict[str, Any]) -> redis.Redis:
    """Return a client of a cluster, or of the primary that Sentinels name at each connection."""
    own = {"username": many.user, "password": many.password, "ssl": many.secure}
    options = {**{name: value for name, value in own.items() if value}, **options}
    place = ",".join(f"{host}:{port}" for host, port in many.nodes)
    if many.kind == "sentinel":
        asking = {name: value for name, value in options.items() if name.startswith(("ssl", "socket_"))}
        sentinels = Sentinel(many.nodes, sentinel_kwargs=asking)  # type: ignore[no-untyped-call]
        primary: redis.Redis = sentinels.master_for(many.name, db=many.database, **options)  # type: ignore[no-untyped-call]
        return primary
    nodes = [ClusterNode(host, port) for host, port in many.nodes]  # type: ignore[no-untyped-call]
    try:
        return RedisCluster(startup_nodes=nodes, **options)  # type: ignore[return-value]
    except (RedisError, RedisClusterException) as error:
        raise translated(error, place) from error


OLDEST = (6, 2)
"""The oldest version of Redis with all commands that are used. Valkey names the version it is compatible with."""


class ServerGuard:
    """Checks a server again and again while a worker runs, since its settings may be changed under it."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._evicted: int | None = None

    def check(self) -> None:
        """Raise SettingError while the server would drop state, and LogGap when it has dropped keys since the start."""
        check_server(self._client)
        with redis_errors(self._client):
            evicted = sum(int(info.get("evicted_keys", 0)) for info in _infos(self._client, "stats"))
        before, self._evicted = self._evicted, evicted
        if before is not None and evicted > before:
            raise LogGap(
                f"Redis at {address(self._client)} has evicted {evicted - before} keys, because its maxmemory-policy "
                "was changed for a while: state may be missing. Stop the workers, run `tidecast verify scoring`, and "
                "`tidecast rebuild` if it finds a difference."
            )


def check_server(client: redis.Redis) -> None:
    """Raise SettingError for a server that is too old, or would drop state when its memory is full."""
    with redis_errors(client):
        memory, server = _infos(client, "memory"), _infos(client, "server")
    policies = {str(info.get("maxmemory_policy", "noeviction")) for info in memory}
    policy = next(iter(policies - {"noeviction"}), "noeviction")
    version = min((str(info.get("redis_version", "")) for info in server), key=_numbers, default="")
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


def _infos(client: redis.Redis, section: str) -> list[dict[str, Any]]:
    """Return a section of INFO of the server, or of every primary of a cluster."""
    if isinstance(client, RedisCluster):
        return list(client.info(section, target_nodes=RedisCluster.PRIMARIES).values())
    return [client.info(section)]


def is_older(version: str, than: tuple[int, ...]) -> bool:
    """Return whether a version such as "6.0.16" is older; False for one that cannot be read."""
    numbers = _numbers(version)[: len(than)]
    return len(numbers) == len(than) and numbers < than


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())


def server_time(client: redis.Redis) -> float:
    """Return what the server's clock shows, in seconds since 1970; of a cluster, that of one primary. Raises
    Unavailable."""
    with redis_errors(client):
        if isinstance(client, RedisCluster):
            return _seconds(client.time(target_nodes=client.get_primaries()[0]))
        return _seconds(client.time())


def _seconds(told: Any) -> float:
    seconds, microseconds = next(iter(told.values())) if isinstance(told, dict) else told
    return float(seconds) + float(microseconds) / 1e6
