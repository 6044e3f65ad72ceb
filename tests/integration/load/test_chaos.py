"""A short chaos run. The README has the command of the long one."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration


def test_a_short_run_under_faults_equals_an_undisturbed_replay(tmp_path: Path) -> None:
    file = tmp_path / "chaos.jsonl"
    command = [sys.executable, "-m", "load.chaos", "--minutes", "0.8", "--seed", "4", "--seeds", "2", "--jobs", "2"]
    done = subprocess.run([*command, "--json", str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    for line in file.read_text().splitlines():
        report = json.loads(line)
        assert len(report["faults"]) >= 4
        assert report["predictions"] > 5000
        assert not report["differences"]
