"""Fail points do nothing when they are off. One file triggers one hit."""

import errno
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sinks import failpoints
from sinks.failpoints import hit, partly
from tests.waiting import PATIENCE_S

PROGRAM = """
import sys
from concurrent.futures import ThreadPoolExecutor
from sinks.failpoints import hit
print("ready", flush=True)
sys.stdin.readline()
ThreadPoolExecutor(1, thread_name_prefix="learning-churn-logistic").submit(hit, "acked").result()
print("went on", flush=True)
"""


def worker(folder: Path) -> "subprocess.Popen[str]":
    environment = {**os.environ, "TIDECAST_FAIL_POINTS": str(folder)}
    pipe = subprocess.PIPE
    process = subprocess.Popen([sys.executable, "-c", PROGRAM], env=environment, stdin=pipe, stdout=pipe, text=True)
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    return process


def arm(folder: Path, place: str, word: str) -> None:
    (folder / place).write_text(word)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(failpoints, "_folder", str(tmp_path))
    return tmp_path


def test_off_does_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    arm(tmp_path, "worker.acked", "kill")
    assert failpoints._folder is None
    hit("acked")
    items = [1, 2, 3]
    assert partly("acked", items, pytest.fail) is items
    assert os.listdir(tmp_path) == ["worker.acked"]


def test_not_armed_does_nothing(folder: Path) -> None:
    arm(folder, "worker.computed", "kill")
    arm(folder, "scoring.acked", "kill")
    hit("acked")
    assert partly("acked", [1, 2], pytest.fail) == [1, 2]
    assert {path.name for path in folder.iterdir()} == {"worker.computed", "scoring.acked"}


def test_two_come_by_and_one_is_killed(tmp_path: Path) -> None:
    arm(tmp_path, "learning-churn-logistic.acked", "kill")
    processes = [worker(tmp_path) for _ in range(2)]
    said = [process.communicate("go\n", PATIENCE_S)[0] for process in processes]
    assert sorted(said) == ["", "went on\n"]
    killed = processes[said.index("")]
    assert killed.returncode == -signal.SIGKILL
    assert processes[said.index("went on\n")].returncode == 0
    (claimed,) = (tmp_path / "hits").iterdir()
    assert claimed.name.startswith("learning-churn-logistic.acked.")
    assert claimed.name.endswith(f".{killed.pid}")
    assert os.listdir(tmp_path) == ["hits"]


def test_stopped_and_sent_on(tmp_path: Path) -> None:
    arm(tmp_path, "learning-churn-logistic.acked", "stop")
    process = worker(tmp_path)
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()
    _, status = os.waitpid(process.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status)
    os.kill(process.pid, signal.SIGCONT)
    assert process.communicate(timeout=PATIENCE_S)[0] == "went on\n"


def test_a_full_disk(folder: Path) -> None:
    arm(folder, "worker.snapshot.begun", "raise\n")
    with pytest.raises(OSError, match="No space left") as full:
        hit("snapshot.begun")
    assert full.value.errno == errno.ENOSPC
    hit("snapshot.begun")


def test_a_wrong_word_is_said(folder: Path) -> None:
    arm(folder, "worker.acked", "explode")
    with pytest.raises(ValueError, match="'explode'; write kill, stop or raise"):
        hit("acked")


def test_the_stage_is_the_thread_or_what_is_said(folder: Path) -> None:
    arm(folder, "history.rows.all", "raise")
    arm(folder, "scoring.reported", "raise")
    with pytest.raises(OSError):
        hit("reported", "scoring")
    with ThreadPoolExecutor(1, thread_name_prefix="history") as thread, pytest.raises(OSError):
        thread.submit(hit, "rows.all").result()


@pytest.mark.parametrize(("length", "cut"), [(2, 1), (3, 1), (4, 1), (7, 1), (8, 2), (12, 3), (1000, 250)])
def test_a_quarter_is_sent_then_the_place_is_hit(folder: Path, length: int, cut: int) -> None:
    arm(folder, "worker.produce.partly", "raise")
    sent: list[int] = []
    with pytest.raises(OSError):
        partly("produce.partly", list(range(length)), sent.extend)
    assert sent == list(range(cut))


def test_what_goes_on_sends_the_rest(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arm(folder, "worker.produce.partly", "stop")
    stopped: list[int] = []
    monkeypatch.setattr(os, "kill", lambda pid, number: stopped.append(number))
    sent: list[int] = []
    sent.extend(partly("produce.partly", list(range(12)), sent.extend))
    assert stopped == [signal.SIGSTOP]
    assert sent == list(range(12))


def test_one_item_cannot_be_cut(folder: Path) -> None:
    arm(folder, "worker.produce.partly", "raise")
    assert partly("produce.partly", [1], pytest.fail) == [1]
    assert (folder / "worker.produce.partly").exists()


def test_every_place_is_in_the_table_and_in_use() -> None:
    constants = {name: value for name, value in vars(failpoints).items() if name.isupper() and isinstance(value, str)}
    assert set(constants.values()) == {point.name for point in failpoints.POINTS}
    root = Path(failpoints.__file__).parents[1]
    files = [*root.glob("sinks/**/*.py"), *root.glob("agents/**/*.py")]
    used = "".join(file.read_text() for file in files if file.name != "failpoints.py")
    assert [name for name in constants if f"hit({name}" not in used and f"partly({name}" not in used] == []
