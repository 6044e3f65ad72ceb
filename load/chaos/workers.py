"""The worker processes of a chaos run. Each has its own links to the servers and is restarted when it dies."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from load.stages import in_process

KINDS = {
    "scoring-a": "scoring",
    "scoring-b": "scoring",
    "scoring-c": "scoring",
    "learning": "learning",
    "learning-b": "learning",
    "watching": "watching",
    "history": "history",
}
"""Name → the worker process of `tidecast worker` that it is."""
SCORERS = tuple(name for name, kind in KINDS.items() if kind == "scoring")
EXTRA_MEMBERS = ("scoring-c", "learning-b")
"""Workers that join and leave."""
ALWAYS = tuple(name for name in KINDS if name not in EXTRA_MEMBERS)
LOST = "tidecast rebuild"
"""A worker prints this when its state is gone."""
STOP_TIMEOUT_S = 40.0


def tidecast(*arguments: str) -> list[str]:
    """Return the command line `tidecast ARGUMENTS` in this environment."""
    return [sys.executable, "-c", "from agents.cli import main; main()", *arguments]


@dataclass
class ChaosWorker:
    """One process. starts: how often it was started. wanted: whether it must run."""

    name: str
    environment: Mapping[str, str]
    log: Path
    process: "subprocess.Popen[bytes] | None" = None
    wanted: bool = False
    starts: int = 0

    def start(self) -> None:
        """Start the process in a session of its own; its output is appended to the log."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                # supervised by this harness, so it waits for servers without a time limit
                tidecast("worker", *in_process(KINDS[self.name]), "--single", "--supervised"),
                env=dict(self.environment),
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.starts += 1

    def signal(self, number: int) -> None:
        """Send a signal, if the process runs."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)

    def limit_files(self, size: int) -> None:
        """Let no file grow beyond `size` bytes. Writing then fails as on a full disk."""
        if self.process is not None and self.process.poll() is None:
            psutil.Process(self.process.pid).rlimit(psutil.RLIMIT_FSIZE, (size, psutil.RLIM_INFINITY))

    def last_lines(self, count: int = 5) -> str:
        """Return the end of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-count:])


@dataclass
class ChaosWorkers:
    """All workers, watched by a thread. `failures`: which worker ended with an error, and its last lines."""

    all: dict[str, ChaosWorker]
    rebuild: Callable[[], None]
    failures: list[str] = field(default_factory=list)
    rebuilds: int = 0
    _ended: threading.Event = field(default_factory=threading.Event)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def start(self, names: Sequence[str]) -> None:
        """Start these workers, and restart them from now on when they die."""
        for name in names:
            self.want(name, True)
        threading.Thread(target=self._watch, daemon=True).start()

    def want(self, name: str, wanted: bool) -> None:
        """Start a worker if it is wanted, else end it gracefully."""
        worker = self.all[name]
        with self._lock:
            worker.wanted = wanted
            if wanted and (worker.process is None or worker.process.poll() is not None):
                worker.start()
        if not wanted:
            self._end(worker)

    def end(self, but: str = "") -> None:
        """End all workers gracefully, except `but`. A worker that does not stop is killed and becomes a failure."""
        self._ended.set()
        ending = [worker for name, worker in self.all.items() if name != but]
        for worker in ending:
            worker.wanted = False
            worker.signal(signal.SIGCONT)
            worker.signal(signal.SIGTERM)
        for worker in ending:
            self._end(worker)

    def kill(self) -> None:
        """Kill all workers."""
        self._ended.set()
        for worker in self.all.values():
            worker.signal(signal.SIGKILL)

    def recoveries(self) -> int:
        """Return how often workers were restarted."""
        return sum(max(0, worker.starts - 1) for worker in self.all.values())

    def _end(self, worker: ChaosWorker) -> None:
        if worker.process is None:
            return
        worker.signal(signal.SIGTERM)
        try:
            worker.process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.failures.append(f"{worker.name} did not stop within {STOP_TIMEOUT_S:.0f} s:\n{worker.last_lines()}")
            worker.process.kill()
            worker.process.wait()

    def _watch(self) -> None:
        while not self._ended.wait(0.05):
            for worker in self.all.values():
                self._restart_if_dead(worker)

    def _restart_if_dead(self, worker: ChaosWorker) -> None:
        with self._lock:
            process = worker.process
            if not worker.wanted or process is None or process.poll() is None or self._ended.is_set():
                return
            if process.returncode > 0:
                self._handle_exit(worker)
            worker.start()

    def _handle_exit(self, worker: ChaosWorker) -> None:
        """Run the rebuild that a worker asks for. Any other error is a failure of the run."""
        output = worker.last_lines()
        if LOST not in output:
            self.failures.append(
                f"{worker.name} ended with code {worker.process and worker.process.returncode}:\n{output}"
            )
            time.sleep(0.5)
            return
        others = [other for other in self.all.values() if other is not worker and other.wanted]
        for other in others:
            self._end(other)
        self.rebuild()
        self.rebuilds += 1
        for other in others:
            other.start()


def environment(folder: Path, own: Mapping[str, str]) -> dict[str, str]:
    """Return this process's environment without TIDECAST_ variables, except the cache, plus `own`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TIDECAST_")}
    if "TIDECAST_CACHE" in os.environ:
        kept["TIDECAST_CACHE"] = os.environ["TIDECAST_CACHE"]
    return {**kept, "TIDECAST_DATA": str(folder), "PYTHONHASHSEED": "0", **own}
