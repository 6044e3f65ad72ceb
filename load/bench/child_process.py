"""A process beside the benchmark's own, asked through a pipe: what is measured in it waits for no other thread of
Python and for no garbage collection.

Moments are `time.perf_counter`, which on Linux is CLOCK_MONOTONIC, the same clock in all processes of a machine."""

import gc
import multiprocessing
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

import click

START = multiprocessing.get_context("spawn")
"""Not a fork: librdkafka's threads do not survive one."""
ENDED = "a process of the benchmark itself has ended: see above"


class ChildProcess:
    """Calls `work(connection, *args)` in a process of its own; ended with this one at the latest."""

    def __init__(self, work: Callable[..., None], *args: Any) -> None:
        self._ours, theirs = START.Pipe()
        self._process = START.Process(target=_begin, args=(work, theirs, *args), daemon=True)
        self._process.start()
        theirs.close()

    def ask(self, *question: Any) -> Any:
        """Its answer."""
        self.tell(*question)
        return self.answer()

    def tell(self, *question: Any) -> None:
        """Ask now and take the answer later."""
        self._ours.send(question)

    def answer(self) -> Any:
        """The answer to the oldest question."""
        try:
            return self._ours.recv()
        except EOFError as error:
            raise click.ClickException(ENDED) from error

    def check_alive(self) -> None:
        """ClickException when it has ended by itself."""
        if not self._process.is_alive():
            raise click.ClickException(ENDED)

    def has_answered(self, patience_s: float) -> bool:
        """Whether `answer` returns at once, if need be after so long."""
        return self._ours.poll(patience_s)

    @property
    def process_id(self) -> int:
        """Of the operating system."""
        return self._process.pid or 0

    def end(self) -> None:
        """Close the pipe, which ends it."""
        self._ours.close()
        self._process.join(10)
        self._process.kill()


def _begin(work: Callable[..., None], connection: Connection, *args: Any) -> None:
    gc.disable()  # hundreds of thousands of records live here, and nothing that only the collector could free
    try:
        work(connection, *args)
    except (EOFError, BrokenPipeError, KeyboardInterrupt):
        return  # told to end
