"""Contract of every StageStore."""

from itertools import count

import pytest

from sinks.redis.stage_store import RedisStageStore
from streams.errors import PositionConflict
from streams.identity import Position
from streams.state.memory import MemoryStageStore
from streams.state.store import StageStore

EPOCHS = count(1_800_000_000)
PLACE = ("judging", "labelled-examples", 2)


@pytest.fixture(params=["memory", "redis", "redis_cluster"])
def store(request: pytest.FixtureRequest) -> StageStore:
    if request.param == "memory":
        return MemoryStageStore()
    return RedisStageStore(request.getfixturevalue(f"{request.param}_client"), next(EPOCHS), "test.")


def test_nothing_at_first(store: StageStore) -> None:
    assert store.read(*PLACE) is None
    assert store.position(*PLACE) is None


def test_position_and_blob_are_read_back(store: StageStore) -> None:
    store.commit(*PLACE, None, Position(5, 2), bytes(range(256)))
    assert store.read(*PLACE) == (Position(5, 2), bytes(range(256)))
    assert store.position(*PLACE) == Position(5, 2)
    store.commit(*PLACE, Position(5, 2), Position(6), b"")
    assert store.read(*PLACE) == (Position(6), b"")


def test_places_are_apart(store: StageStore) -> None:
    places = [("a", "b", 1), ("a", "b", 2), ("a", "c", 1), ("b", "b", 1), ("a.b", "b", 1)]
    for number, place in enumerate(places):
        store.commit(*place, None, Position(number), str(number).encode())
    assert [store.read(*place) for place in places] == [
        (Position(number), str(number).encode()) for number in range(len(places))
    ]


def test_our_own_retry_changes_nothing(store: StageStore) -> None:
    store.commit(*PLACE, None, Position(5), b"first")
    store.commit(*PLACE, None, Position(5), b"again")
    assert store.read(*PLACE) == (Position(5), b"first")


@pytest.mark.parametrize("expected", [None, Position(4), Position(5, 1)])
def test_another_position_is_a_conflict(store: StageStore, expected: Position | None) -> None:
    store.commit(*PLACE, None, Position(5), b"first")
    with pytest.raises(PositionConflict, match="judging on labelled-examples/2"):
        store.commit(*PLACE, expected, Position(6), b"other")
    assert store.read(*PLACE) == (Position(5), b"first")
