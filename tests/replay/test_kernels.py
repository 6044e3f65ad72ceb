"""The same log gives the same bytes with and without kernels."""

import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

from streams.kernels import PURE, compiled
from streams.replay import replay
from streams.state.memory import MemoryScoringStore
from tests.kernels import kernels_missing
from tests.replay.test_scoring import contents
from tests.replay.test_serving import grown, stage
from tests.replay.world import USE_CASE

SEEDS = range(3)


def digests() -> list[str]:
    """Return a digest of all outputs and all state for each seed."""
    object.__setattr__(USE_CASE.targets[0], "serve_every", 5)
    found = []
    for seed in SEEDS:
        log, models = grown(seed)
        store = MemoryScoringStore()
        outputs = [tuple(output) for outputs in replay(stage(log, models, store), log.logs) for output in outputs]
        found.append(sha256(repr((outputs, contents(store))).encode()).hexdigest())
    return found


def run(environment: dict[str, str]) -> str:
    """Run `digests` in its own process."""
    program = "from tests.replay.test_kernels import compiled, digests; print(compiled(), *digests())"
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", program], cwd=root, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_python_alone_makes_the_same_records_and_state() -> None:
    if not compiled():
        kernels_missing()
    kernels, *with_kernels = run({**os.environ}).split()
    pure, *without = run({**os.environ, PURE: "1"}).split()
    assert (kernels, pure) == ("True", "False")
    assert with_kernels == without
    assert len(set(without)) == len(SEEDS)
