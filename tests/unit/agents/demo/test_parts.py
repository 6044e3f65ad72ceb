"""The demo's processes."""

import subprocess
import sys
from pathlib import Path

import pytest

from agents.demo.parts import Parts
from agents.demo.run import look_further
from streams.errors import TidecastError


def test_a_part_that_fails_is_named_with_its_log(tmp_path: Path) -> None:
    parts = Parts(tmp_path)
    parts.log("worker").parent.mkdir()
    parts.log("worker").write_text("12 events\nno broker\n")
    for code in (0, 3):
        parts.children["worker"] = subprocess.Popen([sys.executable, "-c", f"raise SystemExit({code})"])
        parts.children["worker"].wait()
        if code == 0:
            assert parts.ended("worker")
        else:
            with pytest.raises(TidecastError, match=r"worker ended with code 3; .*worker\.log:(.|\n)*\| no broker"):
                parts.ended("worker")
    parts.end(keep=False)


def test_what_the_simulation_says_it_published(tmp_path: Path) -> None:
    parts = Parts(tmp_path)
    parts.log("simulation").parent.mkdir()
    parts.log("simulation").write_text("")
    assert parts.simulated_events() == 0
    parts.log("simulation").write_text("160 days, 443914 events of 2600 customers, 600 left, campaign from day 96\n")
    assert parts.simulated_events() == 443914


def test_how_to_look_further(tmp_path: Path) -> None:
    assert "stack up" in look_further(tmp_path, False, 7, "c-1") and "kill" not in look_further(
        tmp_path, False, 7, "c-1"
    )
    kept = look_further(tmp_path, True, 7, "c-1")
    assert "kill 7" in kept and "customer c-1" in kept and "stack up" not in kept
