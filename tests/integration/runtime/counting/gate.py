"""A gate before each slice of the counting stage: what a worker has done when a test looks does not depend on time.

The test and the worker share a folder, which the worker finds in TEST_GATE. In it lie

- `most`: how many records the worker may have counted, written by the test; without it as many as there are;
- `waiting`: there while the worker waits with a slice that it may not count;
- `batches`: a line a batch, by the worker: records of it, and bytes of values fetched by then;
- `stopping`: made by the worker when it was told to stop and no more records flow."""

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
    """The test's side."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.environment = {VARIABLE: str(folder)}
        """For the worker."""

    def allow(self, most: int) -> None:
        """Let the worker count so many records over all of its partitions, but no slice beyond."""
        (self._folder / "new").write_text(str(most))
        (self._folder / "new").rename(self._folder / "most")

    def open(self) -> None:
        """Let it count what there is."""
        (self._folder / "most").unlink()

    def waiting(self) -> bool:
        """Whether the worker waits with a slice in its hands."""
        return (self._folder / "waiting").exists()

    def batches(self) -> list[Batch]:
        """What the worker has begun to work on."""
        file = self._folder / "batches"
        lines = file.read_text().splitlines() if file.exists() else []
        return [Batch(*map(int, line.split())) for line in lines]

    def stopping(self) -> bool:
        """Whether the worker was told to stop, and gets no more records."""
        return (self._folder / "stopping").exists()


class Counted:
    """The worker's side; open for ever without TEST_GATE."""

    def __init__(self) -> None:
        folder = os.environ.get(VARIABLE)
        self.folder = Path(folder) if folder else None
        self.fetched_bytes = 0

    def begin(self, records: int) -> None:
        """A batch of so many comes."""
        if self.folder:
            with (self.folder / "batches").open("a") as out:
                out.write(f"{records} {self.fetched_bytes}\n")

    def wait(self, counted: int) -> None:
        """Until the test allows so many."""
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
