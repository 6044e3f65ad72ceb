"""A gate before each slice of the counting stage. A test controls how far the worker goes, independent of time.

The test and the worker share a folder. The worker finds it in TEST_GATE. It holds these files:

- `most`: how many records the worker may count. The test writes it. Without it there is no limit.
- `waiting`: exists while the worker waits with a slice that it may not count.
- `batches`: one line per batch, written by the worker: its records, and the bytes of the values fetched so far.
- `stopping`: the worker creates it when it was told to stop and no more records flow."""

import os
import time
from pathlib import Path
from typing import NamedTuple

VARIABLE = "TEST_GATE"


class Batch(NamedTuple):
    """A line of `batches`."""

    records: int
    fetched_bytes: int


class Gate:
    """The test's side of the gate."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.environment = {VARIABLE: str(folder)}
        """The environment variable for the worker."""

    def allow(self, most: int) -> None:
        """Let the worker count at most this many records over all of its partitions. A slice that goes beyond waits."""
        (self._folder / "new").write_text(str(most))
        (self._folder / "new").rename(self._folder / "most")

    def open(self) -> None:
        """Remove the limit."""
        (self._folder / "most").unlink()

    def waiting(self) -> bool:
        """Return whether the worker is waiting with a slice."""
        return (self._folder / "waiting").exists()

    def batches(self) -> list[Batch]:
        """Return the batches that the worker has started."""
        file = self._folder / "batches"
        lines = file.read_text().splitlines() if file.exists() else []
        return [Batch(*map(int, line.split())) for line in lines]

    def stopping(self) -> bool:
        """Return whether the worker was told to stop and gets no more records."""
        return (self._folder / "stopping").exists()


class Counted:
    """The worker's side of the gate. It is always open without TEST_GATE."""

    def __init__(self) -> None:
        folder = os.environ.get(VARIABLE)
        self.folder = Path(folder) if folder else None
        self.fetched_bytes = 0

    def begin(self, records: int) -> None:
        """Record the start of a batch with this many records."""
        if self.folder:
            with (self.folder / "batches").open("a") as out:
                out.write(f"{records} {self.fetched_bytes}\n")

    def wait(self, counted: int) -> None:
        """Wait until the test allows this many records."""
        if self.folder and counted > self._most():
            (self.folder / "waiting").touch()
            while counted > self._most():
                time.sleep(0.01)
            (self.folder / "waiting").unlink()

    def _most(self) -> float:
        try:
            return int((self.folder / "most").read_text()) if self.folder else float("inf")
        except FileNotFoundError:
            return float("inf")


GATE = Counted()
