"""Where time goes: a flame graph of every worker process while it works a backlog off (speedscope's format)."""

import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from load.bench.job import TARGETS, EncodedRecord
from load.bench.system import VERBS, BenchSystem, BenchWorkers

RATE_HZ = 100
PROCESSES = ("scoring", "learning", "monitoring", "history")
"""One verb of each worker process."""


def measure(system: BenchSystem, backlog: list[EncodedRecord], folder: Path) -> list[Path]:
    """All stages work the backlog off under py-spy, which looks from outside: what is measured meanwhile is slower.
    The files, one per process: open them at speedscope.app or with `speedscope`."""
    folder.mkdir(parents=True, exist_ok=True)
    events = sum(one.partition is None for one in backlog)
    system.publisher.all(backlog)
    with system.reader() as reader, system.workers(*VERBS) as workers:
        reader.wait_for(1)
        with _watched(workers, folder) as files:
            reader.wait_for(TARGETS * events)
    return files


@contextmanager
def _watched(workers: BenchWorkers, folder: Path) -> Iterator[list[Path]]:
    spy = shutil.which("py-spy", path=str(Path(sys.executable).parent)) or shutil.which("py-spy")
    if spy is None:
        raise click.ClickException("py-spy is not installed: pip install 'tidecast[bench]'")
    files, watching = [], []
    for verb in PROCESSES:
        for number, process in enumerate(workers.processes(verb)):
            file = folder / f"{verb}-{number}.speedscope.json"
            command = [spy, "record", "--pid", str(process.pid), "--rate", str(RATE_HZ), "--threads"]
            command += ["--format", "speedscope", "--output", str(file)]
            watching.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True))
            files.append(file)
    try:
        yield files
    finally:
        for one in watching:
            one.send_signal(signal.SIGINT)  # it writes what it has seen
        told = [one.communicate(timeout=60)[0] for one in watching]
    for file, said in zip(files, told, strict=True):
        if not file.exists():
            raise click.ClickException(
                f"py-spy wrote no {file.name} ({' '.join(said.split()[-20:])}): it must be allowed to look into other "
                "processes (root, or sysctl kernel.yama.ptrace_scope=0)"
            )
