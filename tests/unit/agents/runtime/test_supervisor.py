"""Real child processes: a stand-in for `tidecast worker` that does what its arguments say."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from agents.runtime.supervisor import STEADY_S, Child, Supervisor

PARENT = """
import sys
import agents.runtime.supervisor as supervisor
CHILD = {child!r}
def spawn(arguments):
    return original([*arguments])
import subprocess
real = subprocess.Popen
def popen(command, **options):
    return real([sys.executable, "-c", CHILD, *command[3:]], **options)
subprocess.Popen = popen
supervisor.STOP_PATIENCE_S = 2.0
from streams.errors import TidecastError
try:
    supervisor.Supervisor([(words, words.split()) for words in sys.argv[1:]]).run()
except TidecastError as error:
    print(f"tidecast: {{error}}", file=sys.stderr)
    sys.exit(1)
"""
CHILD = """
import os, signal, sys, threading, time, pathlib
what, folder = sys.argv[1], pathlib.Path(sys.argv[2])
if what == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
with open(folder / what, "a") as file:
    file.write(f"{os.getpid()} {os.environ['PYTHONHASHSEED']}\\n")
if what == "wrong":
    sys.exit("tidecast: the setting is wrong")
if what != "deaf":
    sys.stdin.read()
    if what == "stubborn":
        time.sleep(30)
time.sleep(0 if what != "deaf" else 30)
"""


def start(folder: Path, *children: str) -> "subprocess.Popen[str]":
    code = PARENT.format(child=CHILD)
    words = [f"{child} {folder}" for child in children]
    return subprocess.Popen([sys.executable, "-c", code, *words], stderr=subprocess.PIPE, text=True)


def pids(folder: Path, child: str) -> list[int]:
    file = folder / child
    return [int(line.split()[0]) for line in file.read_text().splitlines()] if file.exists() else []


def living(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def until(true: Callable[[], object], seconds: float = 15.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.02)


def test_a_killed_child_is_restarted_and_the_others_are_left_alone(tmp_path: Path) -> None:
    with start(tmp_path, "one", "two") as parent:
        until(lambda: pids(tmp_path, "one") and pids(tmp_path, "two"))
        os.kill(pids(tmp_path, "one")[0], signal.SIGKILL)
        until(lambda: len(pids(tmp_path, "one")) == 2)
        assert len(pids(tmp_path, "two")) == 1
        assert " 0\n" in (tmp_path / "one").read_text()  # PYTHONHASHSEED
        parent.terminate()
        _, said = parent.communicate(timeout=10)
    assert parent.returncode == 0
    assert "was ended by signal 9: restarted" in said
    assert not any(map(living, [*pids(tmp_path, "one"), *pids(tmp_path, "two")]))


def test_a_child_that_ends_with_an_error_ends_all(tmp_path: Path) -> None:
    with start(tmp_path, "one", "wrong") as parent:
        _, said = parent.communicate(timeout=15)
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
    with start(tmp_path, "stubborn") as parent:
        threading.Thread(target=lambda: parent.stderr and parent.stderr.read(), daemon=True).start()
        until(lambda: pids(tmp_path, "stubborn"))
        began = time.monotonic()
        parent.send_signal(signal.SIGINT)
        time.sleep(0.3)
        parent.send_signal(signal.SIGINT)
        parent.wait(5)
        assert time.monotonic() - began < 1.9  # its patience would be 2 s
    assert not living(pids(tmp_path, "stubborn")[0])


@pytest.mark.parametrize("lived,waits", [(STEADY_S - 1, True), (STEADY_S + 1, False)])
def test_a_child_that_had_worked_for_a_while_is_started_again_at_once(lived: float, waits: bool) -> None:
    child = Child("x", [], subprocess.Popen([sys.executable, "-c", ""]), starts=5, started=100.0)
    child.process.wait()
    assert (Supervisor([])._ended(child, -signal.SIGKILL, 100.0 + lived) > 0) == waits
