"""The supervisor with real child processes. A script replaces `tidecast worker` and does what its arguments say."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from agents.runtime import supervisor, worker
from agents.runtime.supervisor import STEADY_S, Child, Supervisor
from tests.waiting import PATIENCE_S, exit_code, until

PARENT = """
import pathlib, subprocess, sys, time
import agents.runtime.supervisor as supervisor
CHILD = {child!r}
real, sleep = subprocess.Popen, time.sleep
def popen(command, **options):
    return real([sys.executable, "-c", CHILD, *command[3:]], **options)
def watching(seconds):
    pathlib.Path({folder!r}, "watching").touch()  # signals are handled by now
    sleep(seconds)
subprocess.Popen = popen
time.sleep = watching
supervisor.STOP_PATIENCE_S = {patience}
from streams.errors import TidecastError
try:
    supervisor.Supervisor([(words, words.split()) for words in sys.argv[1:]]).run()
except TidecastError as error:
    print(f"tidecast: {{error}}", file=sys.stderr)
    sys.exit(1)
"""
CHILD = """
import os, pathlib, signal, sys, time
what, folder = sys.argv[1], pathlib.Path(sys.argv[2])
if what == "stubborn":
    signal.signal(signal.SIGTERM, lambda *_: (folder / "told").touch())
with open(folder / what, "a") as file:
    file.write(f"{os.getpid()} {os.environ['PYTHONHASHSEED']}\\n")
if what == "wrong":
    sys.exit("tidecast: the setting is wrong")
if what == "stubborn":
    while True:
        time.sleep(1)
sys.stdin.read()
"""


@contextmanager
def start(folder: Path, *children: str, patience: float = PATIENCE_S) -> "Iterator[subprocess.Popen[str]]":
    """Run a supervisor of these children. Kill all of them at the end."""
    code = PARENT.format(child=CHILD, folder=str(folder), patience=patience)
    words = [f"{child} {folder}" for child in children]
    with subprocess.Popen([sys.executable, "-c", code, *words], stderr=subprocess.PIPE, text=True) as parent:
        try:
            yield parent
        finally:
            parent.kill()
            for pid in pids(folder, "stubborn"):  # the other children end with their parent
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def pids(folder: Path, child: str) -> list[int]:
    file = folder / child
    return [int(line.split()[0]) for line in file.read_text().splitlines()] if file.exists() else []


def living(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_killed_child_is_restarted_and_the_others_are_left_alone(tmp_path: Path) -> None:
    with start(tmp_path, "one", "two") as parent:
        until(lambda: pids(tmp_path, "one") and pids(tmp_path, "two"))
        os.kill(pids(tmp_path, "one")[0], signal.SIGKILL)
        until(lambda: len(pids(tmp_path, "one")) == 2)
        assert len(pids(tmp_path, "two")) == 1
        assert " 0\n" in (tmp_path / "one").read_text()  # PYTHONHASHSEED
        parent.terminate()
        _, said = parent.communicate(timeout=PATIENCE_S)
    assert parent.returncode == 0
    assert "was ended by signal 9: restarted" in said
    assert not any(map(living, [*pids(tmp_path, "one"), *pids(tmp_path, "two")]))


def test_a_child_that_ends_with_an_error_ends_all(tmp_path: Path) -> None:
    with start(tmp_path, "one", "wrong") as parent:
        _, said = parent.communicate(timeout=PATIENCE_S)
    assert parent.returncode == 1
    assert "the setting is wrong" in said
    assert "Traceback" not in said
    until(lambda: not any(map(living, pids(tmp_path, "one"))))
    assert len(pids(tmp_path, "wrong")) == 1


def test_no_child_outlives_a_killed_parent(tmp_path: Path) -> None:
    with start(tmp_path, "one", "two") as parent:
        until(lambda: pids(tmp_path, "one") and pids(tmp_path, "two"))
        parent.kill()
    until(lambda: not any(map(living, [*pids(tmp_path, "one"), *pids(tmp_path, "two")])))


def test_a_second_signal_does_not_wait(tmp_path: Path) -> None:
    with start(tmp_path, "stubborn", patience=10 * PATIENCE_S) as parent:
        threading.Thread(target=lambda: parent.stderr and parent.stderr.read(), daemon=True).start()
        until(lambda: pids(tmp_path, "stubborn") and (tmp_path / "watching").exists())
        parent.send_signal(signal.SIGINT)
        until((tmp_path / "told").exists)
        parent.send_signal(signal.SIGINT)
        exit_code(parent)
    assert not living(pids(tmp_path, "stubborn")[0])


def test_a_child_that_does_not_end_is_killed_when_patience_is_over(tmp_path: Path) -> None:
    with start(tmp_path, "stubborn", patience=0.1) as parent:
        threading.Thread(target=lambda: parent.stderr and parent.stderr.read(), daemon=True).start()
        until(lambda: pids(tmp_path, "stubborn") and (tmp_path / "watching").exists())
        parent.terminate()
        assert exit_code(parent) == 0
    assert not living(pids(tmp_path, "stubborn")[0])


def test_a_worker_gives_up_its_servers_before_it_would_be_killed() -> None:
    assert worker.STOP_PATIENCE_S < supervisor.STOP_PATIENCE_S


@pytest.mark.parametrize("lived,waits", [(STEADY_S - 1, True), (STEADY_S + 1, False)])
def test_a_child_that_had_worked_for_a_while_is_started_again_at_once(lived: float, waits: bool) -> None:
    child = Child("x", [], subprocess.Popen([sys.executable, "-c", ""]), starts=5, started=100.0)
    child.process.wait()
    assert (Supervisor([])._ended(child, -signal.SIGKILL, 100.0 + lived) > 0) == waits
