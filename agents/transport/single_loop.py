"""A Faust consumer that runs in its app's own event loop.

Faust gives each consumer a thread with a second loop, because agents may block the first loop and heartbeats must not
wait. Here stages work in threads of their own and block no loop. A second loop would cost each batch two changes of
thread, and each change hands over Python's global lock."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from mode.services import Service
from mode.threads import QueueServiceThread
from mode.utils.futures import maybe_async


class OneLoop(QueueServiceThread):  # type: ignore[misc]
    """Replaces mode's service thread by the app's loop. List it before the class that it changes."""

    _serving: "asyncio.Task[None]"

    def __init__(self, *args: Any, loop: asyncio.AbstractEventLoop, **named: Any) -> None:
        super().__init__(*args, loop=loop, thread_loop=loop, **named)

    async def start(self) -> None:
        """Wait until the service has started; raise the error that prevented it."""
        self._thread_started.set()
        started = self._thread_running = self.parent_loop.create_future()
        self._serving = self.parent_loop.create_task(self._serve())
        try:
            await started
        finally:
            self._thread_running = None

    async def stop(self) -> None:
        """Wait until the service has ended."""
        if self._started.is_set():
            await Service.stop(self)
            await asyncio.wait([self._serving])

    async def _gather_remaining_tasks(self) -> None:
        """Do nothing: the loop's other tasks do not belong to this service."""

    async def call_thread(self, fun: Callable[..., Awaitable[Any]], *args: Any, **named: Any) -> Any:
        """Call the method at once instead of through a queue."""
        return await maybe_async(fun(*args, **named))
