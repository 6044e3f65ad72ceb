"""Tests of the whole system under faults: many seeds, each guard switched off, and each server away for a minute."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from load.chaos.expected import EXPECTED

SEEDS = int(os.environ.get("SEEDS", "20"))
LONGER = {"switch-order": "1.2"}
"""Minutes of events by guard. All other guards use SHORT."""
SHORT = "0.8"
TIMELY = {"position-read": 5, "cache-clear": 5}
"""Number of seeds for guards that matter only when a fault hits the right moment. One seed is enough for the others."""


def chaos(file: Path, *options: str) -> tuple[int, list[dict[str, Any]]]:
    """Run the chaos harness. Return its exit code and reports."""
    done = subprocess.run([sys.executable, "-m", "load.chaos", "--quiet", "--json", str(file), *options], check=False)
    return done.returncode, [json.loads(line) for line in file.read_text().splitlines()]


@pytest.mark.parametrize("options", [("--seeds", str(SEEDS)), ("--seeds", "2", "--seed", "200", "--transactions")])
def test_faults_leave_no_trace(tmp_path: Path, options: tuple[str, ...]) -> None:
    code, reports = chaos(tmp_path / "chaos.jsonl", "--jobs", "2", *options)
    assert {report["seed"]: report["differences"] for report in reports if report["differences"]} == {}
    assert code == 0


@pytest.mark.parametrize("guard", EXPECTED)
def test_without_a_guard_a_run_differs(tmp_path: Path, guard: str) -> None:
    for seed in range(101, 101 + TIMELY.get(guard, 1)):
        minutes = LONGER.get(guard, SHORT)
        code, _ = chaos(tmp_path / f"{seed}", "--minutes", minutes, "--seed", str(seed), "--without", guard)
        assert code in (0, 1), "the servers did not start"
        if code == 1:
            return
    pytest.fail(f"nothing differs without {guard}")


def test_each_server_may_be_away() -> None:
    done = subprocess.run([sys.executable, "-m", "load.outages"], stdout=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 0, done.stdout
