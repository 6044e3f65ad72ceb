"""Fuzz a component that reads untrusted input: python -m tests.fuzz --target decoder --minutes 10

With atheris (`pip install tidecast[fuzz]`), coverage guides the fuzzer. Without it, a built-in mutator runs in a
separate process whose memory and time are watched. The fuzzer writes failing inputs to --folder. `--input FILE` runs
one of them again."""

import argparse
import importlib
import importlib.util
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.fuzz.own import Result, fuzz, save

TARGETS = ("decoder", "control", "snapshot", "endpoint", "scoring")
OPTIONS = ("-timeout=20", "-rss_limit_mb=2000", "-max_len=4096", "-print_final_stats=1", "-verbosity=1")


def guided(target: str, seconds: float, inputs: int, seed: int, folder: Path) -> Result:
    """Fuzz guided by coverage. libFuzzer stops at the first defect."""
    corpus = folder / "corpus" / target
    most = inputs if inputs < 2**31 else -1
    limits = [f"-max_total_time={int(seconds)}", f"-runs={most}", f"-seed={seed}", f"-artifact_prefix={folder}/"]
    command = [sys.executable, "-m", "tests.fuzz.guided", target, str(corpus), *OPTIONS, *limits]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    told = done.stderr + done.stdout
    (folder / f"{target}.log").write_text(told)
    result = Result(target, seconds=seconds)
    runs = re.search(r"stat::number_of_executed_units:\s+(\d+)", told)
    peak = re.search(r"stat::peak_rss_mb:\s+(\d+)", told)
    took = re.search(r"Done \d+ runs in (\d+) second", told)
    result.inputs = int(runs[1]) if runs else 0
    result.seconds = float(took[1]) if took else seconds
    result.peak_bytes = int(peak[1]) << 20 if peak else 0
    if done.returncode:
        found = re.search(r"Test unit written to (\S+)", told)
        data = Path(found[1]).read_bytes() if found else b""
        result.defects.append((told[-1500:], data))
    return result


def main() -> int:
    """Run the fuzzer. Return 0 when it finds no defects, else 1."""
    words = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    words.add_argument("--target", choices=(*TARGETS, "all"), default="all")
    words.add_argument("--minutes", type=float, default=1.0, help="per target")
    words.add_argument("--inputs", type=int, default=2**62, help="most inputs per target")
    words.add_argument("--seed", type=int, default=1)
    words.add_argument("--engine", choices=("atheris", "own"), default=None, help="default: atheris if it is installed")
    words.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "tidecast-fuzz")
    words.add_argument("--input", type=Path, help="run one saved input")
    given = words.parse_args()
    if given.input:
        importlib.import_module(f"tests.fuzz.targets.{given.target}").check(given.input.read_bytes())
        return 0
    given.folder.mkdir(parents=True, exist_ok=True)
    engine = given.engine or ("atheris" if importlib.util.find_spec("atheris") else "own")
    failed = 0
    for target in TARGETS if given.target == "all" else (given.target,):
        if engine == "atheris":
            result = guided(target, 60 * given.minutes, given.inputs, given.seed, given.folder)
        else:
            result = fuzz(target, 60 * given.minutes, given.inputs, given.seed)
        print(f"{engine}: {result}", flush=True)
        for (why, _), file in zip(result.defects, save(result, given.folder), strict=True):
            print(f"  {file}: {why}", flush=True)
        failed += len(result.defects)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
