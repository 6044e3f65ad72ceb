import asyncio
from types import SimpleNamespace

import pytest

from agents import membership
from agents.membership import FIRST_TRY_S, SLOWEST_TRY_S, patient


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
        assert len(pauses) == 11  # none for the healthy one, none before the first failure
        assert pauses == sorted(pauses)
        assert (pauses[0], pauses[-1]) == (2 * FIRST_TRY_S, SLOWEST_TRY_S)
        alive.add(2)
        assert await connected(2) == await connected(2) == "to 2"
        assert len(pauses) == 12

    asyncio.run(tries())
