"""Starts, recognises and ends the server processes of a stack."""

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from agents.stack.place import Running

SAME_START = 1.0  # seconds: the clock behind a start time may be adjusted meanwhile
GRACE = 30.0  # seconds that a server has to save its state before it is killed


def start(command: Sequence[str], env: Mapping[str, str], log: Path) -> tuple[Running, subprocess.Popen[bytes]]:
    """Start a server in a session of its own, so that neither ^C nor a closed terminal ends it. Output: `log`."""
    with log.open("ab") as out:
        process = subprocess.Popen(
            command,
            env={**os.environ, **env},
            cwd=log.parent,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return Running(process.pid, psutil.Process(process.pid).create_time()), process


def find(running: Running | None) -> psutil.Process | None:
    """Return the living process; None when it has ended, even if its id now belongs to another process."""
    if running is None:
        return None
    try:
        process = psutil.Process(running.pid)
        same = abs(process.create_time() - running.started) <= SAME_START
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.Error:
        return None


def stop(running: Sequence[Running]) -> None:
    """End processes together: terminate them, and kill the rest after GRACE seconds. Returns when all are gone."""
    for sign in ("terminate", "kill"):
        for known in running:
            if process := find(known):
                try:
                    getattr(process, sign)()
                except psutil.NoSuchProcess:
                    continue
        until = time.monotonic() + GRACE
        while any(find(known) for known in running) and time.monotonic() < until:
            time.sleep(0.05)


def last_lines(log: Path, count: int = 15) -> list[str]:
    """Return the last lines of a log file; [] when there is none."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - 400 * count))
            return file.read().decode(errors="replace").splitlines()[-count:]
    except OSError:
        return []
