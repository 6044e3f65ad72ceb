"""Slots: a number for each worker process of a kind on this machine, held by a file lock while the process lives."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from agents.settings import writable
from streams.errors import SettingError, TidecastError

MOST = 1000


class Slot:
    """The lowest free slot of a kind.

    The slot of a killed worker is free at once, so that its successor gets the same group membership. Two living
    workers never share a slot."""

    def __init__(self, folder: Path, kind: str) -> None:
        """`folder`: the folder of the lock files, the same for all workers of a machine."""
        writable(folder)
        for number in range(MOST):
            file = _opened(folder / f"{kind}.{number}.lock")
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


def _opened(lock: Path) -> int:
    try:
        return os.open(lock, os.O_RDWR | os.O_CREAT, 0o644)
    except PermissionError:
        raise SettingError(
            f"The file {lock.absolute()} belongs to another user; delete it when that user runs no worker, "
            "or set TIDECAST_DATA to a folder of your own."
        ) from None


@contextmanager
def alone(folder: Path, what: str) -> Iterator[None]:
    """Hold a lock while this process does something that only one process of the machine may do.

    Raises TidecastError when another process holds it."""
    with os.fdopen(_opened(writable(folder) / f"{what}.lock"), "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise TidecastError(
                f"Another {what} is running on this data folder: wait until it has ended, then try again."
            ) from None
        yield
