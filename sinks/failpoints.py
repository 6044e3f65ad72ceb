"""Fail points: named places at which a test may kill or stop a worker, or fail a write.

They are off unless TIDECAST_FAIL_POINTS names a folder. `python -m agents.stages` prints those of each stage as JSON.

To arm one, put a file `STAGE.POINT` into the folder in one step (write it elsewhere, then rename it). It holds one
word: `kill`, `stop` (SIGSTOP; the test sends SIGCONT) or `raise` (OSError: no space left). The first thread of that
stage to reach the place moves the file to `hits/STAGE.POINT.TIME_NS.PID`, then obeys: one file, one hit."""

import errno
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from enum import Enum
from pathlib import Path
from typing import NamedTuple, TypeVar

T = TypeVar("T")


class Point(NamedTuple):
    """A fail point: its name, the stages that reach it, and what is done and not done there.

    stages: EVERY, PRODUCING (those with outputs), or names."""

    name: str
    stages: "Which | tuple[str, ...]"
    meaning: str

    def is_reached_by(self, stage: str, produces: bool) -> bool:
        """Return whether a stage reaches the point. `produces`: the stage has outputs."""
        if isinstance(self.stages, Which):
            return self.stages is Which.EVERY or produces
        return stage in self.stages


class Which(Enum):
    """Many stages at once."""

    EVERY = "every stage"
    PRODUCING = "every stage with outputs"


EVERY, PRODUCING = Which.EVERY, Which.PRODUCING

COMPUTED = "computed"
PRODUCE_PARTLY = "produce.partly"
PRODUCED = "produced"
ACKED = "acked"
COMMIT_PARTLY = "commit.partly"
COMMITTED = "committed"
REPORTED = "reported"
SNAPSHOT_BEGUN = "snapshot.begun"
SNAPSHOT_PUT = "snapshot.put"
ROWS_PARTLY = "rows.partly"
ROWS = "rows.all"

POINTS = (
    Point(COMPUTED, EVERY, "A slice is computed; none of it is produced or committed."),
    Point(PRODUCE_PARTLY, PRODUCING, "The first quarter of a slice's outputs is acked; the rest was never sent."),
    Point(PRODUCED, PRODUCING, "All outputs of a slice are handed to the client; no ack was awaited."),
    Point(ACKED, EVERY, "All outputs of a slice are acked; its state and positions are not committed."),
    Point(COMMIT_PARTLY, ("scoring", "monitoring"), "Some partitions of a slice are committed, the others are not."),
    Point(COMMITTED, EVERY, "A slice is committed; the next one is not started, Kafka's group does not know of it."),
    Point(REPORTED, EVERY, "Kafka's group has the committed positions."),
    Point(SNAPSHOT_BEGUN, ("learning",), "A snapshot's temporary file is written and not renamed (local folders)."),
    Point(SNAPSHOT_PUT, ("learning",), "A snapshot is durable; its switch is not produced."),
    Point(ROWS_PARTLY, ("history",), "Some tables have a slice's rows; the others and the positions do not."),
    Point(ROWS, ("history",), "All rows of a slice are written; its positions are not."),
)

_folder = os.environ.get("TIDECAST_FAIL_POINTS")


def hit(point: str, stage: str | None = None) -> None:
    """Pass a fail point. Give `stage` when this is not the stage's own thread."""
    if _folder is None:
        return
    word = _claim(_folder, point, stage or _stage())
    if word:
        _act(word)


def partly(point: str, items: Sequence[T], send: Callable[[Sequence[T]], object]) -> Sequence[T]:
    """Return the items that are left to send: all of them, unless the fail point is armed.

    When it is armed, `send` gets the first quarter, the point is hit, and the rest is returned. A single item cannot
    be split, so that the point stays armed."""
    if _folder is None:
        return items
    stage = _stage()
    if len(items) < 2 or not os.path.exists(os.path.join(_folder, f"{stage}.{point}")):
        return items
    cut = max(1, len(items) // 4)
    send(items[:cut])
    hit(point, stage)
    return items[cut:]


def _stage() -> str:
    """Return the stage's name: its one thread is called NAME_0."""
    return threading.current_thread().name.rpartition("_")[0] or "worker"


def _claim(folder: str, point: str, stage: str) -> str:
    """Take the armed file and return its word; "" when there is none, or another thread took it."""
    armed = Path(folder, f"{stage}.{point}")
    if not armed.exists():
        return ""
    mine = Path(folder, "hits", f"{armed.name}.{time.time_ns()}.{os.getpid()}")
    mine.parent.mkdir(exist_ok=True)
    try:
        armed.rename(mine)
    except FileNotFoundError:
        return ""
    return mine.read_text().strip()


def _act(word: str) -> None:
    if word == "raise":
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    signals = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}
    if word not in signals:
        raise ValueError(f"A fail point is armed with {word!r}; write kill, stop or raise.")
    os.kill(os.getpid(), signals[word])
