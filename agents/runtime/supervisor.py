"""Supervises worker processes: starts them together, restarts killed ones, and ends them together."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

from streams.errors import TidecastError

STOP_PATIENCE_S = 20.0
LONGEST_WAIT_S = 10.0
STEADY_S = 10.0
POLL_S = 0.05


@dataclass
class Child:
    """A worker process, and how often it was started."""

    name: str
    arguments: Sequence[str]
    process: "subprocess.Popen[bytes]"
    starts: int = 1
    started: float = 0.0
    restart_at: float | None = None


class Supervisor:
    """Runs `tidecast ARGUMENTS` for each child.

    A child that was killed by a signal is started again with backoff. When a child exits with an error, all children
    are stopped. The child has printed the error."""

    def __init__(self, children: Sequence[tuple[str, Sequence[str]]]) -> None:
        """`children`: name → arguments."""
        self._stopping = False
        self._children = [Child(name, args, _spawn(args), started=time.monotonic()) for name, args in children]

    def run(self) -> None:
        """Run until a signal or a child's error. Raises TidecastError when a child exits with an error."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        try:
            while not self._stopping:
                for child in self._children:
                    self._watch(child)
                time.sleep(POLL_S)
        finally:
            self._end()

    def _on_signal(self, *_: object) -> None:
        if self._stopping:
            for child in self._children:
                child.process.kill()
        self._stopping = True

    def _watch(self, child: Child) -> None:
        now = time.monotonic()
        if child.restart_at is None:
            code = child.process.poll()
            if code is None or self._stopping:
                return
            child.restart_at = now + self._ended(child, code, now)
        if now >= child.restart_at:
            child.process, child.restart_at = _spawn(child.arguments), None
            child.starts, child.started = child.starts + 1, now

    def _ended(self, child: Child, code: int, now: float) -> float:
        """Return the seconds until a child is started again: none for the first time, so that a kill costs little."""
        if code > 0:
            raise TidecastError(f"the worker for {child.name} ended with code {code}, see above; all were ended")
        why = f"was ended by signal {-code}" if code else "was told to end"
        print(f"tidecast: the worker for {child.name} {why}: restarted", file=sys.stderr)
        if now - child.started > STEADY_S:
            child.starts = 1
        return 0.0 if child.starts == 1 else min(LONGEST_WAIT_S, 0.2 * 2.0**child.starts)

    def _end(self) -> None:
        living = [child.process for child in self._children if child.process.poll() is None]
        for process in living:
            process.terminate()
        deadline = time.monotonic() + STOP_PATIENCE_S
        for process in living:
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _spawn(arguments: Sequence[str]) -> "subprocess.Popen[bytes]":
    """Start a child in its own process group, so that ^C reaches the parent only.

    The child's standard input is a pipe that closes when the parent dies, so that no child outlives it."""
    command = [sys.executable, "-c", "from agents.cli import main; main()", *arguments]
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    return subprocess.Popen(command, env=environment, start_new_session=True, stdin=subprocess.PIPE)
