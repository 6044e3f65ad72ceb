"""The same hash seed in every process that computes results: they must not depend on the order of a set."""

import os
import sys


def fix_hashes() -> None:
    """Become this very command with PYTHONHASHSEED=0, unless it has that already."""
    if os.environ.get("PYTHONHASHSEED") != "0":
        os.environ["PYTHONHASHSEED"] = "0"
        os.execv(sys.executable, [sys.executable, "-c", "from agents.cli import main; main()", *sys.argv[1:]])
