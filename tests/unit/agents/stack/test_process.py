import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from agents.stack import process
from agents.stack.place import Running
from tests.waiting import until

SLEEP = [sys.executable, "-c", "import time; print('hello', flush=True); time.sleep(600)"]


def test_a_process_is_found_until_it_is_stopped(tmp_path: Path) -> None:
    running, child = process.start(SLEEP, {}, tmp_path / "log")
    assert process.find(running) is not None
    process.stop([running])
    assert child.poll() is not None or process.find(running) is None
    assert process.find(running) is None


def test_another_process_with_the_same_id_is_neither_found_nor_ended() -> None:
    with subprocess.Popen(SLEEP, stdout=subprocess.DEVNULL) as stranger:
        try:
            started = psutil.Process(stranger.pid).create_time()
            reused = Running(stranger.pid, started - 60)
            assert process.find(reused) is None
            process.stop([reused])
            assert stranger.poll() is None
        finally:
            stranger.kill()


def test_a_zombie_does_not_run(tmp_path: Path) -> None:
    running, child = process.start([sys.executable, "-c", ""], {}, tmp_path / "log")
    child_id = child.pid
    until(lambda: psutil.Process(child_id).status() == psutil.STATUS_ZOMBIE)
    assert process.find(running) is None
    child.wait()


def test_one_that_ignores_the_request_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stubborn = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); time.sleep(600)"
    )
    running, _child = process.start([sys.executable, "-c", stubborn], {}, tmp_path / "log")
    until(lambda: process.last_lines(tmp_path / "log"))
    monkeypatch.setattr(process, "GRACE", 0.3)
    process.stop([running])
    until(lambda: process.find(running) is None)


def test_last_lines(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert process.last_lines(log) == []
    log.write_bytes(b"".join(b"line %d \xff\n" % i for i in range(1000)))
    assert process.last_lines(log, 2) == ["line 998 \ufffd", "line 999 \ufffd"]
