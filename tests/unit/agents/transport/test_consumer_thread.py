import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from agents.transport import consumer_thread as membership
from agents.transport.consumer_thread import (
    FETCH_BYTES,
    FIRST_TRY_S,
    LEAST_FETCH_BYTES,
    SLOWEST_TRY_S,
    Member,
    fetch_bytes,
    patient,
)
from tests.waiting import PATIENCE_S


def test_only_a_node_that_does_not_answer_is_tried_less_and_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    alive = {1}

    async def connect(node: int, *, no_hint: bool = False) -> str | None:
        return f"to {node}" if node in alive else None

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr(membership, "asyncio", SimpleNamespace(sleep=pause))
    monkeypatch.setattr(membership, "random", SimpleNamespace(uniform=lambda least, most: most))
    connected = patient(connect)

    async def tries() -> None:
        for _ in range(12):
            assert await connected(2, no_hint=True) is None
            assert await connected(1) == "to 1"
        assert len(pauses) == 11  # no pause for the healthy node, and none before the first failure
        assert pauses == sorted(pauses)
        assert (pauses[0], pauses[-1]) == (2 * FIRST_TRY_S, SLOWEST_TRY_S)
        alive.add(2)
        assert await connected(2) == await connected(2) == "to 2"
        assert len(pauses) == 12

    asyncio.run(tries())


class Starting:
    """A consumer whose broker knows the topic's partitions after a number of requests."""

    def __init__(self, knows_after: float) -> None:
        self.asked = 0
        self._knows_after = knows_after
        self._client = self

    def subscription(self) -> frozenset[str]:
        return frozenset({"customer-events"})

    def partitions_for_topic(self, topic: str) -> set[int] | None:
        return {0, 1} if self.asked >= self._knows_after else None

    async def force_metadata_update(self) -> None:
        self.asked += 1


def assigned(consumer: Starting) -> int:
    """Return how often the broker had been asked when the leader assigned partitions."""
    thread: Any = Member.__new__(Member)
    thread._ensure_consumer = lambda: consumer

    async def assign(response: str) -> int:
        assert response == "members"
        return consumer.asked

    assigning: Callable[[str], Any] = thread._informed(assign)
    return asyncio.run(assigning("members"))  # type: ignore[no-any-return]


def test_a_leader_assigns_when_it_knows_the_partitions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(membership, "FIRST_TRY_S", 0.0)
    monkeypatch.setattr(membership, "KNOWN_IN_S", PATIENCE_S)
    assert assigned(Starting(0)) == 0
    assert assigned(Starting(3)) == 3
    monkeypatch.setattr(membership, "KNOWN_IN_S", 0.0)
    assert assigned(Starting(3)) == 0  # a longer wait would remove the member from the group


def test_what_is_fetched_at_once_is_bounded_over_all_partitions_and_never_too_little_of_one() -> None:
    assert fetch_bytes(1, 1) == FETCH_BYTES and fetch_bytes(4, 4) == FETCH_BYTES
    for n in range(1, 200):
        assert LEAST_FETCH_BYTES <= fetch_bytes(n, 4) <= max(LEAST_FETCH_BYTES, 4 * FETCH_BYTES // n)
    assert fetch_bytes(0, 1) == FETCH_BYTES  # nothing is read: any size works
