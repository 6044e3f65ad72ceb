"""Slots: a number for each worker process of a kind on this machine, held by a lock as long as it lives."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from streams.errors import TidecastError

MOST = 1000


class Slot:
    """The lowest free slot of a kind. A killed worker's slot is free at once, so its successor gets the same
    group membership; two living ones never share one."""

    def __init__(self, folder: Path, kind: str) -> None:
        """`folder`: where the lock files lie, the same for all workers of a machine."""
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(MOST):
            file = os.open(folder / f"{kind}.{number}.lock", os.O_RDWR | os.O_CREAT, 0o644)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(file)
                continue
            self.number = number
            self._file = file
            return
        raise RuntimeError(f"more than {MOST} workers of kind {kind}")

    def __enter__(self) -> "Slot":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._file)


@contextmanager
def alone(folder: Path, what: str) -> Iterator[None]:
    """While this process does something of which there may be only one on this machine; TidecastError when another
    does it."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{what}.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise TidecastError(f"Another {what} is at work here: wait until it has ended, then try again.") from None
        yield
