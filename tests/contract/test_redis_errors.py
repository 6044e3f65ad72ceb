"""Error messages when Redis is unreachable, refuses access or is not a suitable server. These errors stop a worker."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import pytest
import redis
from redis.cluster import RedisCluster

from sinks.redis.client import OLDEST, check_server, connect, is_older, server_time
from sinks.redis.scoring_store import RedisScoringStore
from sinks.redis.stage_store import RedisStageStore
from streams.errors import PositionConflict, SettingError, Unavailable
from streams.identity import Position
from streams.state.store import PartitionCommit
from tests.contract.servers import redis_server

ONE = PartitionCommit(0, None, Position(1), b"h", {"a": b"x" * 100}, {}, {"a": 1})
RIGHTS = (
    *("~*tidecast:*", "+info", "+time", "+mget", "+get", "+zrangebyscore", "+multi", "+exec", "+scan", "+unlink"),
    *("+evalsha", "+script|load", "+mset", "+del", "+zadd", "+zrem"),
)
"""The permissions listed in docs/redis.md."""


def uses(client: redis.Redis) -> list[Callable[[], object]]:
    """Return everything a worker does with Redis."""
    scoring, stages = RedisScoringStore(client, 1), RedisStageStore(client, 1)
    return [
        lambda: check_server(client),
        lambda: server_time(client),
        lambda: scoring.positions([0]),
        lambda: scoring.load({0: ["a"]}),
        lambda: scoring.due(0, 1, 1),
        lambda: scoring.commit([ONE]),
        lambda: scoring.customers([0]),
        lambda: stages.read("a", "b", 0),
        lambda: stages.commit("a", "b", 0, None, Position(1), b""),
        lambda: scoring.clear([0]),
    ]


def test_a_server_that_keeps_everything_is_accepted(redis_client: redis.Redis) -> None:
    check_server(redis_client)


def test_a_server_that_evicts_is_refused() -> None:
    with (
        redis_server("--maxmemory-policy", "allkeys-lru") as server,
        pytest.raises(SettingError, match="set it to noeviction"),
    ):
        check_server(server.client)


@pytest.mark.parametrize(
    "version,older",
    [
        ("6.0.16", True),
        ("5.0.3", True),
        ("6.2.0", False),
        ("6.2.14", False),
        ("7.2.4", False),
        ("8", False),
        ("", False),
    ],
)
def test_a_server_that_is_too_old_is_known_by_its_version(version: str, older: bool) -> None:
    assert is_older(version, OLDEST) is older


@pytest.mark.parametrize("url", ["redis://127.0.0.1:1/0", "unix:///nowhere/redis.sock"])
def test_a_server_that_is_away_is_unavailable(url: str) -> None:
    for use in uses(connect(url)):
        with pytest.raises(Unavailable, match=r"Redis at .* does not answer; check that it runs.* tries again"):
            use()


def test_an_address_that_is_none_is_a_setting() -> None:
    with pytest.raises(SettingError, match="redis://HOST:PORT"):
        connect("localhost:6379")


def test_a_missing_or_wrong_password_is_a_setting() -> None:
    with redis_server("--requirepass", "secret") as server:
        for client, told in ((server.client, "asks for a password"), (server.connect(":wrong"), "refuses the user")):
            for use in uses(client):
                with pytest.raises(SettingError, match=f"{told}.*TIDECAST_REDIS_PASSWORD"):
                    use()


def test_the_rights_that_the_documentation_lists_are_enough() -> None:
    with worker_with(RIGHTS) as client:
        for use in uses(client):
            use()


@pytest.mark.parametrize("lacking", ["+mget", "+evalsha", "+zadd", "+mset", "~*tidecast:*"])
def test_a_user_without_a_right_is_a_setting(lacking: str) -> None:
    given = [right for right in RIGHTS if right != lacking]
    with worker_with(given) as client, pytest.raises(SettingError, match=r"forbids its user .* docs/redis\.md"):
        for use in uses(client):
            use()


@contextmanager
def worker_with(rights: Sequence[str]) -> Iterator[redis.Redis]:
    with redis_server() as server:
        server.client.execute_command("ACL", "SETUSER", "worker", "on", ">pw", *rights)
        yield server.connect("worker:pw")


def test_a_node_of_a_cluster_is_a_setting(redis_cluster_client: RedisCluster) -> None:
    for node in redis_cluster_client.get_primaries():
        with connect(f"redis://127.0.0.1:{node.port}") as client:
            store = RedisScoringStore(client, 1)
            with pytest.raises(SettingError, match=r"TIDECAST_REDIS_URL to redis\+cluster://HOST:PORT"):
                for partition in range(16):
                    store.commit([PartitionCommit(partition, None, Position(1), b"h")])


@pytest.mark.parametrize("part", ["position", "timers"])
def test_other_data_under_our_keys_is_a_setting_and_nothing_is_half_written(part: str) -> None:
    with redis_server() as server:
        server.client.lpush(f"tidecast:{{1.0}}:{part}", "mine")
        with pytest.raises(SettingError, match="other data under our keys; use another database"):
            RedisScoringStore(server.client, 1).commit([ONE])
        assert server.client.dbsize() == 1


def test_neither_keys_nor_customers_are_taken_for_codes_or_shown() -> None:
    with redis_server() as server:
        server.client.lpush("tidecast:{1.0}:timers", "mine")
        with pytest.raises(SettingError, match="other data under our keys") as told:
            RedisScoringStore(server.client, 1).due(0, 1, 1)
        assert "tidecast:" not in str(told.value)


def test_a_server_that_lost_its_scripts_gets_them_again(redis_client: redis.Redis) -> None:
    store = RedisScoringStore(redis_client, 77)
    for number in range(3):
        redis_client.script_flush()
        before = Position(number) if number else None
        store.commit([PartitionCommit(p, before, Position(number + 1), b"") for p in range(3)])
    with pytest.raises(PositionConflict):
        store.commit([PartitionCommit(0, Position(1), Position(9), b"")])
