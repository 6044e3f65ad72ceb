"""A Faust consumer that lives in its app's own event loop.

Faust gives each consumer a thread with a second loop, because agents may hold up the first one and heartbeats must not
wait. Stages work in threads of their own here, so nothing holds it up, and a batch would pay for two changes of thread,
for each of which Python's lock changes hands."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from mode.services import Service
from mode.threads import QueueServiceThread
from mode.utils.futures import maybe_async


class OneLoop(QueueServiceThread):  # type: ignore[misc]
    """What mode calls a service thread, without the thread. To be named before the class that it changes."""

    _serving: "asyncio.Task[None]"

    def __init__(self, *args: Any, loop: asyncio.AbstractEventLoop, **named: Any) -> None:
        super().__init__(*args, loop=loop, thread_loop=loop, **named)

    async def start(self) -> None:
        """Returns when the service has started; raises what kept it from that."""
        self._thread_started.set()
        started = self._thread_running = self.parent_loop.create_future()
        self._serving = self.parent_loop.create_task(self._serve())
        try:
            await started
        finally:
            self._thread_running = None

    async def stop(self) -> None:
        """Returns when it has ended."""
        if self._started.is_set():
            await Service.stop(self)
            await asyncio.wait([self._serving])

    async def _gather_remaining_tasks(self) -> None:
        """The loop's other tasks are not this service's."""

    async def call_thread(self, fun: Callable[..., Awaitable[Any]], *args: Any, **named: Any) -> Any:
        """At once, instead of through a queue."""
        return await maybe_async(fun(*args, **named))
