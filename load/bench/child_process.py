"""A process beside the benchmark's own, called through a pipe.

What is measured there waits for no other Python thread and for no garbage collection. Times are `time.perf_counter`,
which on Linux is CLOCK_MONOTONIC, the same clock in all processes of a machine."""

import gc
import multiprocessing
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

import click

START = multiprocessing.get_context("spawn")
"""Not fork: librdkafka's threads do not survive one."""
ENDED = "a process of the benchmark ended unexpectedly: see its output above"


class ChildProcess:
    """Runs `work(connection, *args)` in its own process. It ends when this process does, or earlier."""

    def __init__(self, work: Callable[..., None], *args: Any) -> None:
        self._ours, theirs = START.Pipe()
        self._process = START.Process(target=_begin, args=(work, theirs, *args), daemon=True)
        self._process.start()
        theirs.close()

    def call(self, *command: Any) -> Any:
        """Send a command and return its answer."""
        self.send(*command)
        return self.receive()

    def send(self, *command: Any) -> None:
        """Send a command; `receive` takes its answer later."""
        self._ours.send(command)

    def receive(self) -> Any:
        """Return the answer to the oldest command. Raises ClickException when the process has ended."""
        try:
            return self._ours.recv()
        except EOFError as error:
            raise click.ClickException(ENDED) from error

    def check_alive(self) -> None:
        """Raise ClickException when the process has ended."""
        if not self._process.is_alive():
            raise click.ClickException(ENDED)

    def has_answer(self, timeout_s: float) -> bool:
        """Return whether `receive` would return at once. Waits up to `timeout_s` for it."""
        return self._ours.poll(timeout_s)

    @property
    def process_id(self) -> int:
        """The process id in the operating system."""
        return self._process.pid or 0

    def end(self) -> None:
        """Close the pipe, which ends the process."""
        self._ours.close()
        self._process.join(10)
        self._process.kill()
        self._process.join()


def _begin(work: Callable[..., None], connection: Connection, *args: Any) -> None:
    gc.disable()  # hundreds of thousands of records are alive, and no reference cycles
    try:
        work(connection, *args)
    except (EOFError, BrokenPipeError, KeyboardInterrupt):
        return  # the pipe was closed: end
