"""How a test waits for other threads, processes and servers. It waits for a condition and never for a fixed time."""

import os
import subprocess
import time
from collections.abc import Callable
from typing import TypeVar

PATIENCE_S = float(os.environ.get("TEST_PATIENCE_S", 300.0))
"""A test that waits longer is treated as hanging and fails. Nothing else depends on this limit: the awaited events take
seconds. Set TEST_PATIENCE_S to a few seconds to see a test fail early when you break the code."""
LOOK_S = 0.02
T = TypeVar("T")


def until(condition: Callable[[], T], what: str = "what is waited for") -> T:
    """Wait until `condition()` is true and return its value. Raise AssertionError with `what` after PATIENCE_S."""
    end = time.monotonic() + PATIENCE_S
    while not (found := condition()):
        assert time.monotonic() < end, f"{what} did not happen within {PATIENCE_S:.0f} s"
        time.sleep(LOOK_S)
    return found


def exit_code(process: "subprocess.Popen[bytes] | subprocess.Popen[str]") -> int:
    """Wait until a process ends and return its exit code. Raise TimeoutExpired after PATIENCE_S."""
    return process.wait(PATIENCE_S)
