"""Limits of dead letters. A stream that is mostly garbage means that something is broken and a person must look."""

from collections import Counter, deque

from schemas.topics import CUSTOMER_EVENTS
from streams.errors import TidecastError
from streams.log import DeadRecord, Rejects

WINDOW = 20_000
"""The share is computed over this many of the worker's latest records."""


class TooManyDeadLetters(TidecastError):
    """A limit of dead letters is exceeded. All of them are produced and committed."""


class DeadLetterLimits:
    """Limits the dead letters of one worker: the number in a row, and their share of the latest records.

    "In a row" means within one partition, ignoring control records, so that healthy partitions do not hide a broken
    one. Counts are in memory: a restarted worker counts from zero and continues after the records that stopped it. The
    two kinds of limit come from Sentry's arroyo, dlq.py."""

    def __init__(self, run: int, share: float) -> None:
        """`run`: number of dead letters in a row at which the stage stops. `share`: share of dead letters, 0 to 1,
        above which it stops. 0 sets no limit."""
        self._most_run = run
        self._most_share = share
        self.begin_anew()

    def begin_anew(self) -> None:
        """Reset all counts, because other partitions are read from now on."""
        self._runs: dict[int, Counter[str]] = {}
        self._window: deque[tuple[int, Counter[str]]] = deque()
        self._records = 0
        self._reasons: Counter[str] = Counter()
        self._examples: dict[tuple[int | None, str], DeadRecord] = {}

    def add(self, rejects: Rejects) -> None:
        """Count a committed slice. Raises TooManyDeadLetters when it exceeds a limit."""
        for letter in rejects.dead:
            for partition in (None, letter.partition):
                self._examples[partition, letter.reason.value] = letter
        longest = self._count_runs(rejects)
        self._count_share(rejects)
        if longest is not None:
            dead = self._runs[longest].total()
            what = f"{dead:,} records in a row in {CUSTOMER_EVENTS}[{longest}] are dead letters"
            raise self._error(what, longest, self._runs[longest], "TIDECAST_DEAD_LETTER_RUN", self._most_run)
        dead = self._reasons.total()
        if self._most_share and self._records >= WINDOW and dead > self._most_share * self._records:
            what = f"{dead:,} of the last {self._records:,} records are dead letters"
            raise self._error(what, None, self._reasons, "TIDECAST_DEAD_LETTER_SHARE", self._most_share)

    def _count_runs(self, rejects: Rejects) -> int | None:
        """Return the partition whose run exceeded the limit in this slice, even if the run has ended since."""
        over = None
        fine_before = dict.fromkeys(rejects.fine, 0)
        for dead in rejects.dead:
            run = self._runs.setdefault(dead.partition, Counter())
            if dead.fine_before != fine_before[dead.partition] and over != dead.partition:
                run.clear()
            fine_before[dead.partition] = dead.fine_before
            run[dead.reason.value] += 1
            if self._most_run and run.total() >= self._most_run:
                over = dead.partition
        for partition, fine in rejects.fine.items():
            if fine > fine_before[partition] and partition != over:
                self._runs.pop(partition, None)
        return over

    def _count_share(self, rejects: Rejects) -> None:
        reasons = Counter(dead.reason.value for dead in rejects.dead)
        records = sum(rejects.fine.values()) + len(rejects.dead)
        if not records:
            return
        self._window.append((records, reasons))
        self._records += records
        self._reasons += reasons
        while self._records - self._window[0][0] >= WINDOW:
            gone, old = self._window.popleft()
            self._records -= gone
            self._reasons -= old

    def _error(
        self, what: str, partition: int | None, reasons: Counter[str], setting: str, now: float
    ) -> TooManyDeadLetters:
        """Return the error to raise. `partition`: the partition concerned; None for all."""
        (reason, count), *_ = reasons.most_common(1)
        example = self._examples[partition, reason]
        return TooManyDeadLetters(
            f"{what}, {count:,} of them {reason}, e.g. offset {example.offset} of partition {example.partition}: "
            f'"{example.detail}" They are kept and committed: look at them with `tidecast dead-letters list`, fix the '
            f"producer or the registry, and start the worker again, which continues after them; or raise {setting} "
            f"(now {now:g}; 0 is no limit)."
        )
