import asyncio
import threading
from typing import Any

import pytest

from agents.transport.single_loop import OneLoop


class Service(OneLoop):
    """A service that records where it is called."""

    abstract = False
    fails = False

    def __post_init__(self) -> None:
        self.calls: list[tuple[str, threading.Thread, asyncio.AbstractEventLoop]] = []

    def note(self, name: str) -> None:
        self.calls.append((name, threading.current_thread(), asyncio.get_running_loop()))

    async def on_start(self) -> None:
        self.note("start")
        if self.fails:
            raise ConnectionError("not today")

    async def on_thread_stop(self) -> None:
        self.note("stop")
        await super().on_thread_stop()

    async def ask(self, number: int) -> int:
        self.note("ask")
        return number + 1


async def service() -> Any:
    return Service(loop=asyncio.get_running_loop())


async def test_it_starts_answers_and_ends_in_the_loop_that_started_it() -> None:
    one = await service()
    await one.start()
    assert await one.call_thread(one.ask, 1) == 2
    assert await one.call_thread(lambda number: number, 3) == 3
    await one.stop()
    await one.stop()
    assert [name for name, _, _ in one.calls] == ["start", "ask", "stop"]
    assert {call[1:] for call in one.calls} == {(threading.current_thread(), asyncio.get_running_loop())}
    assert one._serving.done()


async def test_what_keeps_it_from_starting_is_raised() -> None:
    one = await service()
    one.fails = True
    with pytest.raises(ConnectionError, match="not today"):
        await one.start()
    await asyncio.wait([one._serving])
    assert one._serving.exception() is not None


async def test_a_call_that_fails_fails_its_caller_and_nobody_else() -> None:
    one = await service()
    await one.start()

    async def fail() -> None:
        raise KeyError("lost")

    with pytest.raises(KeyError):
        await one.call_thread(fail)
    assert await one.call_thread(one.ask, 1) == 2
    await one.stop()


async def test_tasks_of_others_go_on_when_it_ends() -> None:
    one = await service()
    other = asyncio.create_task(asyncio.Event().wait())
    await one.start()
    await one.stop()
    assert not other.done()
    other.cancel()
