"""Run parts of `make test` on a busy machine: python -m tests.loaded --times 5 unit integration

One process per core keeps all cores busy. A test that fails only here depends on the speed of the machine."""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

BUSY = [sys.executable, "-c", "while True: pass"]


@contextmanager
def load(processes: int) -> Iterator[None]:
    """Keep this many cores busy."""
    busy = [subprocess.Popen(BUSY) for _ in range(processes)]
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()


def main() -> int:
    """Run the rounds. Return 0 when all of them pass, else 1."""
    words = argparse.ArgumentParser(prog="python -m tests.loaded", description=__doc__)
    words.add_argument("parts", nargs="+", metavar="PART", help="a target of the Makefile: unit, integration, …")
    words.add_argument("--times", type=int, default=1, help="rounds")
    words.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="busy processes beside it")
    given = words.parse_args()
    failed = 0
    with load(given.processes):
        for number in range(given.times):
            for part in given.parts:
                began = time.monotonic()
                code = subprocess.run(["make", part], check=False).returncode
                failed += bool(code)
                told = "FAILED" if code else "passed"
                print(f"round {number + 1}: {part} {told} in {time.monotonic() - began:.0f} s", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
