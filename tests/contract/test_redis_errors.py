"""What a person or the worker is told when Redis is away, full, closed or someone else's."""

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
import redis

from sinks.redis.client import check_server, connect
from sinks.redis.scoring_store import RedisScoringStore
from sinks.redis.stage_store import RedisStageStore
from streams.errors import PositionConflict, SettingError, Unavailable
from streams.identity import Position
from streams.state.store import PartitionCommit
from tests.waiting import until

StartRedis = Callable[..., AbstractContextManager[redis.Redis]]
ONE = PartitionCommit(0, None, Position(1), b"h", {"a": b"x" * 100}, {}, {"a": 1})


def test_a_server_that_keeps_everything_is_accepted(redis_client: redis.Redis) -> None:
    check_server(redis_client)


def test_a_server_that_evicts_is_refused(start_redis: StartRedis) -> None:
    with (
        start_redis("--maxmemory-policy", "allkeys-lru") as client,
        pytest.raises(SettingError, match="set it to noeviction"),
    ):
        check_server(client)


@pytest.mark.parametrize("url", ["redis://127.0.0.1:1/0", "unix:///nowhere/redis.sock"])
def test_a_server_that_is_away_is_unavailable(url: str) -> None:
    client = connect(url)
    scoring, stages = RedisScoringStore(client, 1), RedisStageStore(client, 1)
    calls = [
        lambda: check_server(client),
        lambda: scoring.positions([0]),
        lambda: scoring.load({0: ["a"]}),
        lambda: scoring.due(0, 1, 1),
        lambda: scoring.commit([ONE]),
        lambda: scoring.customers([0]),
        lambda: stages.read("a", "b", 0),
        lambda: stages.commit("a", "b", 0, None, Position(1), b""),
    ]
    for call in calls:
        with pytest.raises(Unavailable, match=r"Redis at .* is tried again"):
            call()


def test_an_address_that_is_none_is_a_setting() -> None:
    with pytest.raises(SettingError, match="redis://HOST:PORT"):
        connect("localhost:6379")


def test_a_wrong_password_is_a_setting(start_redis: StartRedis) -> None:
    with start_redis("--requirepass", "secret") as client:
        for user in (client, connect(f"unix://:wrong@{client.connection_pool.connection_kwargs['path']}")):
            with pytest.raises(SettingError, match="password"):
                RedisScoringStore(user, 1).positions([0])


def test_a_full_server_is_unavailable_and_nothing_is_half_written(start_redis: StartRedis) -> None:
    with start_redis("--maxmemory", "1") as client:
        store = RedisScoringStore(client, 1)
        with pytest.raises(Unavailable, match=r"OOM|memory"):
            store.commit([ONE])
        assert client.dbsize() == 0
        client.config_set("maxmemory", 0)
        store.commit([ONE])
        assert store.positions([0]) == {0: (Position(1), b"h")}


def test_a_read_only_server_is_unavailable(start_redis: StartRedis) -> None:
    with start_redis() as client:
        client.slaveof("127.0.0.1", 1)
        with pytest.raises(Unavailable):
            RedisScoringStore(client, 1).commit([ONE])


def test_a_busy_server_is_unavailable(start_redis: StartRedis) -> None:
    with start_redis("--lua-time-limit", "1") as client:
        path = client.connection_pool.connection_kwargs["path"]
        hurried = redis.Redis(unix_socket_path=path, socket_timeout=0.2, retry=None)
        with pytest.raises(redis.TimeoutError):
            hurried.eval("while true do end", 0)
        until(lambda: is_busy(client))
        try:
            with pytest.raises(Unavailable, match=r"BUSY|busy"):
                RedisScoringStore(client, 1).positions([0])
        finally:
            client.script_kill()


def is_busy(client: redis.Redis) -> bool:
    try:
        return not client.ping()
    except redis.ResponseError as error:
        return "BUSY" in str(error)


@pytest.mark.parametrize("part", ["position", "timers"])
def test_other_data_under_our_keys_is_a_setting_and_nothing_is_half_written(part: str, start_redis: StartRedis) -> None:
    with start_redis() as client:
        client.lpush(f"tidecast:{{1.0}}:{part}", "mine")
        with pytest.raises(SettingError, match="another database or prefix"):
            RedisScoringStore(client, 1).commit([ONE])
        assert client.dbsize() == 1


def test_a_server_that_lost_its_scripts_gets_them_again(redis_client: redis.Redis) -> None:
    store = RedisScoringStore(redis_client, 77)
    for number in range(3):
        redis_client.script_flush()
        before = Position(number) if number else None
        store.commit([PartitionCommit(p, before, Position(number + 1), b"") for p in range(3)])
    with pytest.raises(PositionConflict):
        store.commit([PartitionCommit(0, Position(1), Position(9), b"")])
