"""Contract of every ScoringStore."""

import random
from itertools import count
from typing import Any

import pytest

from sinks.redis.scoring_store import RedisScoringStore
from streams.errors import PositionConflict
from streams.identity import Position
from streams.state.memory import MemoryScoringStore
from streams.state.store import CustomerBytes, PartitionCommit, ScoringStore

EPOCHS = count(1_700_000_000)
P0, P1, P2 = Position(10), Position(20), Position(20, 3)


@pytest.fixture(params=["memory", "redis", "redis_cluster"])
def store(request: pytest.FixtureRequest) -> ScoringStore:
    if request.param == "memory":
        return MemoryScoringStore()
    client = request.getfixturevalue(f"{request.param}_client")
    client.flushdb()  # customers() scans the whole database
    return RedisScoringStore(client, next(EPOCHS), "te[s]t*.")


def commit(partition: int, expected: Position | None, position: Position, **parts: Any) -> PartitionCommit:
    return PartitionCommit(partition, expected, position, parts.pop("header", b"h"), **parts)


def test_nothing_is_known_at_first(store: ScoringStore) -> None:
    assert store.positions([0, 1]) == {}
    assert store.load({0: ["a"], 1: []}) == {0: {"a": CustomerBytes()}, 1: {}}
    assert list(store.due(0, 10**15, 10)) == []
    assert list(store.customers([0])[0]) == []
    assert store.positions([]) == {} and store.load({}) == {}
    store.commit([])


def test_what_was_committed_is_read_back(store: ScoringStore) -> None:
    odd = "Zoë 客户 *?[x]\\:{7}\n"
    value = bytes(range(256)) * 3
    store.commit(
        [
            commit(0, None, P0, header=value, states={"a": value, odd: b"\x00"}, observations={"a": b"\xff\r\n"}),
            commit(3, None, P2, header=b"", observations={"c": b"only"}),
        ]
    )
    assert store.positions([0, 1, 3]) == {0: (P0, value), 3: (P2, b"")}
    assert store.load({0: [odd, "a", "b"], 3: ["c", "a"]}) == {
        0: {odd: CustomerBytes(b"\x00"), "a": CustomerBytes(value, b"\xff\r\n"), "b": CustomerBytes()},
        3: {"c": CustomerBytes(None, b"only"), "a": CustomerBytes()},
    }
    assert list(store.customers([0])[0]) == sorted(["a", odd])
    assert list(store.customers([3])[3]) == ["c"]


def test_nothing_is_read_at_another_position_than_asked_for(store: ScoringStore) -> None:
    assert store.load({0: ["a"]}, {0: None}) == {0: {"a": CustomerBytes()}}
    assert list(store.due(0, 9, 9, {0: None})) == []
    store.commit([commit(0, None, P2, states={"a": b"1"}, timers={"a": 5})])
    assert store.load({0: ["a"], 1: ["b"]}, {0: P2, 1: None})[0]["a"].state == b"1"
    assert list(store.due(0, 9, 9, {0: P2})) == [(5, "a")]
    for other in (None, P0, P1):
        with pytest.raises(PositionConflict, match="partition 0"):
            store.load({1: ["b"], 0: ["a"]}, {0: other, 1: None})
        with pytest.raises(PositionConflict, match="partition 0"):
            store.due(0, 9, 9, {0: other})
    assert store.load({0: [], 1: ["b"]}, {0: P1, 1: None})[0] == {}, "a partition without customers is not compared"


def test_parts_not_named_stay_and_empty_ones_are_deleted(store: ScoringStore) -> None:
    store.commit([commit(0, None, P0, states={"a": b"1", "b": b"2"}, observations={"a": b"3", "b": b"4"})])
    store.commit([commit(0, P0, P1, states={"a": b"5"}, observations={"b": b"", "x": b""})])
    assert store.load({0: ["a", "b"]})[0] == {"a": CustomerBytes(b"5", b"3"), "b": CustomerBytes(b"2", None)}
    store.commit([commit(0, P1, P2, states={"b": b""})])
    assert list(store.customers([0])[0]) == ["a"]


def test_our_own_retry_counts_as_written_and_changes_nothing(store: ScoringStore) -> None:
    store.commit([commit(0, None, P0, states={"a": b"1"}, timers={"a": 5})])
    store.commit([commit(0, None, P0, states={"a": b"2"}, timers={"a": 6})])
    assert store.load({0: ["a"]})[0]["a"].state == b"1"
    assert list(store.due(0, 9, 9)) == [(5, "a")]


@pytest.mark.parametrize("expected", [None, Position(10, 1), Position(1), Position(9)])
def test_another_position_is_a_conflict_and_changes_nothing(store: ScoringStore, expected: Position | None) -> None:
    store.commit([commit(0, None, P0, states={"a": b"1"}, timers={"a": 5})])
    with pytest.raises(PositionConflict, match="partition 0 "):
        store.commit([commit(0, expected, P1, header=b"x", states={"a": b"2", "b": b"2"}, timers={"b": 1})])
    assert store.positions([0]) == {0: (P0, b"h")}
    assert store.load({0: ["a", "b"]})[0] == {"a": CustomerBytes(b"1"), "b": CustomerBytes()}
    assert list(store.due(0, 9, 9)) == [(5, "a")]


def test_a_first_commit_that_expects_a_position_is_a_conflict(store: ScoringStore) -> None:
    with pytest.raises(PositionConflict):
        store.commit([commit(0, P0, P1)])
    assert store.positions([0]) == {}


def test_a_conflict_in_one_partition_leaves_it_alone_unchanged(store: ScoringStore) -> None:
    store.commit([commit(partition, None, P0, states={"a": b"1"}) for partition in (0, 1, 2)])
    store.commit([commit(1, P0, P1)])
    with pytest.raises(PositionConflict, match="partition 1 "):
        store.commit([commit(partition, P0, P2, states={"a": b"2"}) for partition in (0, 1, 2)])
    assert store.positions([1]) == {1: (P1, b"h")}
    assert store.load({1: ["a"]})[1]["a"].state == b"1"


def test_a_partition_that_is_cleared_has_nothing_left_and_others_stay(store: ScoringStore) -> None:
    parts: dict[str, Any] = {"states": {"a": b"s", "*": b"t"}, "observations": {"b": b"o"}, "timers": {"a": 5, "d": 6}}
    store.commit([commit(1, None, P0, **parts), commit(11, None, P1, **parts)])
    store.clear([1, 2])
    store.clear([])
    assert store.positions([1, 11]) == {11: (P1, b"h")}
    assert list(store.customers([1])[1]) == [] and list(store.due(1, 10**15, 10)) == []
    assert list(store.customers([11])[11]) == ["*", "a", "b"] and len(store.due(11, 10**15, 10)) == 2
    store.commit([commit(1, None, P0, states={"c": b"new"})])
    assert list(store.customers([1])[1]) == ["c"]


def test_timers_come_by_due_time_then_by_the_customers_bytes(store: ScoringStore) -> None:
    names = ["z", "a", "B", "aa", "é", "客", "~"]
    times = {name: 1000 for name in names} | {"early": -5, "zero": 0, "ms": 1_700_000_000_123, "max": 2**53}
    store.commit([commit(0, None, P0, timers=dict(times))])
    wanted = sorted(((due, name) for name, due in times.items()), key=lambda one: (one[0], one[1].encode()))
    assert list(store.due(0, 2**53, 100)) == wanted
    assert list(store.due(0, 1000, 4)) == wanted[:4]
    assert list(store.due(0, 999, 100)) == wanted[:2]
    assert list(store.due(0, -6, 100)) == [] and list(store.due(0, 1000, 0)) == []
    assert list(store.due(1, 2**53, 100)) == []


def test_timers_move_and_go(store: ScoringStore) -> None:
    store.commit([commit(0, None, P0, timers={"a": 1, "b": 2, "c": 3})])
    store.commit([commit(0, P0, P1, timers={"a": 9, "b": None, "unknown": None, "c": 3})])
    assert list(store.due(0, 99, 9)) == [(3, "c"), (9, "a")]
    store.commit([commit(0, P1, P2, timers={"a": None, "c": None})])
    assert list(store.due(0, 99, 9)) == []
    assert list(store.customers([0])[0]) == []


def test_a_due_time_that_a_double_cannot_hold_is_refused_before_anything_is_written(store: ScoringStore) -> None:
    with pytest.raises(ValueError, match="2\\^53"):
        store.commit([commit(0, None, P0), commit(1, None, P0, timers={"a": 2**53 + 1})])
    assert store.positions([0, 1]) == {}


def test_a_partition_of_fifty_thousand_keys_is_one_commit(store: ScoringStore) -> None:
    names = [f"customer-{number}" for number in range(25_000)]
    states = {name: name.encode() for name in names}
    parts = {"states": states, "observations": states, "timers": {name: 7 for name in names}}
    store.commit([commit(0, None, P0, **parts)])
    assert store.load({0: names})[0] == {name: CustomerBytes(value, value) for name, value in states.items()}
    assert len(store.due(0, 7, 10**6)) == len(names)


def test_any_history_of_commits_equals_memory(store: ScoringStore) -> None:
    """Any sequence of commits, with conflicts and retries, leaves the same state as in MemoryScoringStore."""
    chance = random.Random(1)
    oracle, names = MemoryScoringStore(), [f"c{number}" for number in range(12)]

    def parts() -> dict[str, bytes]:
        return {name: chance.choice([b"", chance.randbytes(4)]) for name in chance.sample(names, 4)}

    for _ in range(150):
        one = commit(
            chance.randrange(2),
            chance.choice([None, *(Position(number) for number in range(4))]),
            Position(chance.randrange(4)),
            states=parts(),
            observations=parts(),
            timers={name: chance.choice([None, chance.randrange(5)]) for name in chance.sample(names, 3)},
        )
        outcomes = []
        for each in (oracle, store):
            try:
                each.commit([one])
                outcomes.append("written")
            except PositionConflict as error:
                outcomes.append(str(error))
        assert outcomes[0] == outcomes[1]
        for partition in (0, 1):
            assert store.positions([partition]) == oracle.positions([partition])
            assert store.load({partition: names}) == oracle.load({partition: names})
            assert list(store.due(partition, 3, 8)) == list(oracle.due(partition, 3, 8))
            assert list(store.customers([partition])[partition]) == list(oracle.customers([partition])[partition])
