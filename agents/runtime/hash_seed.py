"""Sets the same hash seed in every process that computes results, so that they do not depend on the order of sets."""

import os
import sys


def fix_hashes() -> None:
    """Run this command again with PYTHONHASHSEED=0, unless it is set already."""
    if os.environ.get("PYTHONHASHSEED") != "0":
        os.environ["PYTHONHASHSEED"] = "0"
        os.execv(sys.executable, [sys.executable, "-c", "from agents.cli import main; main()", *sys.argv[1:]])
