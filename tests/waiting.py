"""How a test waits for other threads, processes and servers: for a condition, never for a time."""

import os
import subprocess
import time
from collections.abc import Callable
from typing import TypeVar

PATIENCE_S = float(os.environ.get("TEST_PATIENCE_S", 300.0))
"""A test that waits for longer hangs and is given up. Nothing else depends on it: what tests wait for takes seconds.
Set TEST_PATIENCE_S to a few seconds when you break the code to see a test fail."""
LOOK_S = 0.02
T = TypeVar("T")


def until(condition: Callable[[], T], what: str = "what is waited for") -> T:
    """Wait until `condition()` is true; return its value. AssertionError, which names `what`, when it hangs."""
    end = time.monotonic() + PATIENCE_S
    while not (found := condition()):
        assert time.monotonic() < end, f"{what} did not happen within {PATIENCE_S:.0f} s"
        time.sleep(LOOK_S)
    return found


def exit_code(process: "subprocess.Popen[bytes] | subprocess.Popen[str]") -> int:
    """Wait until a process ends. TimeoutExpired when it hangs."""
    return process.wait(PATIENCE_S)
