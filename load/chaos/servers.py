"""The servers of a chaos run: killed, reset to an older state, and started again by `tidecast stack up`."""

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from load.chaos.workers import environment, tidecast

HOST = "127.0.0.1"
PARTS = ("kafka", "registry", "redis", "clickhouse")
BACKUP_EVERY_S = 1.0
KEPT_SIZES = 40
DOWN_TIMEOUT_S = 60.0


def free_ports(count: int) -> list[int]:
    """Free ports below the range that systems give to clients."""
    found: list[int] = []
    for port in random.SystemRandom().sample(range(20_000, 32_000), 2000):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
        found.append(port)
        if len(found) == count:
            return found
    raise OSError(f"no {count} free ports")


class Servers:
    """A local stack in `folder`. A fault holds `lock` while it changes a server, so that only one does at a time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lock = threading.RLock()
        self._sizes: list[tuple[float, Path, int]] = []
        self._ended = threading.Event()

    def up(self, options: Sequence[str] = ()) -> None:
        """Start the servers that are down; returns when all answer. Does nothing after `down`."""
        with self.lock:
            if not self._ended.is_set():
                self._up(options)

    def _up(self, options: Sequence[str]) -> None:
        log = self.folder / "stack.log"
        with log.open("ab") as out:
            subprocess.run(
                tidecast("stack", "up", *options),
                env=environment(
                    self.folder, {"JAVA_TOOL_OPTIONS": "-XX:TieredStopAtLevel=1"}
                ),  # starts are frequent: compile quickly
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                check=True,
            )

    def watch(self) -> None:
        """Record the size of Redis' log every second, for `lose`."""
        threading.Thread(target=self._watch, daemon=True).start()

    def down(self, wipe: bool) -> None:
        """Stop all servers. If a fault is just restarting one, wait up to DOWN_TIMEOUT_S for it."""
        self._ended.set()
        self.lock.acquire(timeout=DOWN_TIMEOUT_S)
        self.clear(["--wipe"] if wipe else [])

    def clear(self, options: Sequence[str] = ()) -> None:
        """End what runs, perhaps after a start that failed. The servers can be started again."""
        command = tidecast("stack", "down", *options)
        subprocess.run(command, env=environment(self.folder, {}), capture_output=True, check=False)

    @property
    def stack(self) -> dict[str, Any]:
        """Addresses, ports and process ids, as the stack wrote them."""
        found: dict[str, Any] = json.loads((self.folder / "stack.json").read_text())
        return found

    def kill(self, part: str) -> None:
        """Kill a server (kill -9). Returns when the process is gone."""
        try:
            process = psutil.Process(self.stack["pids"][part]["pid"])
            process.send_signal(signal.SIGKILL)
            process.wait(10)
        except psutil.NoSuchProcess:
            pass

    @property
    def _logs(self) -> Path:
        """The folder in which Redis keeps its log: a base, what was written since then, and a list of both."""
        return self.folder / "redis" / "appendonlydir"

    def _newest(self) -> Path | None:
        """Return the file that Redis appends to."""
        return max(self._logs.glob("*.incr.aof"), key=lambda file: file.stat().st_mtime, default=None)

    def _watch(self) -> None:
        while not self._ended.wait(BACKUP_EVERY_S):
            with suppress(FileNotFoundError):  # rewritten, or put back, at this moment
                if log := self._newest():
                    self._sizes.append((time.monotonic(), log, log.stat().st_size))
                    del self._sizes[:-KEPT_SIZES]

    def lose(self, seconds: float) -> None:
        """Remove what Redis wrote to its log in the last `seconds`. Call it while Redis is down.

        A log that was rewritten in between is left as it is."""
        log = self._newest()
        earlier = [(file, size) for when, file, size in self._sizes if when <= time.monotonic() - seconds]
        if log and earlier and earlier[-1][0] == log and earlier[-1][1] <= log.stat().st_size:
            os.truncate(log, earlier[-1][1])

    @property
    def _backup(self) -> Path:
        return self.folder / "redis.backup"

    def back_up(self) -> None:
        """Copy Redis' log."""
        shutil.rmtree(self._backup, ignore_errors=True)
        shutil.copytree(self._logs, self._backup)

    def restore(self) -> bool:
        """Put the copy back. Call it while Redis is down. Return False when there is no copy."""
        if not self._backup.exists():
            return False
        shutil.rmtree(self._logs)
        shutil.copytree(self._backup, self._logs)
        return True
