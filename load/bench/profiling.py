"""Writes a flame graph of every worker process while it drains a backlog, in speedscope's format."""

import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from load.bench.job import TARGETS, EncodedRecord
from load.bench.system import BenchSystem
from load.bench.workers import BenchWorkers
from load.stages import one_of_each_process

RATE_HZ = 100


def measure(system: BenchSystem, backlog: list[EncodedRecord], folder: Path) -> list[Path]:
    """Drain the backlog with all stages under py-spy; returns a file per process.

    py-spy samples from outside and slows the workers. Open the files at speedscope.app or with `speedscope`."""
    folder.mkdir(parents=True, exist_ok=True)
    events = sum(record.partition is None for record in backlog)
    system.publisher.all(backlog)
    with system.reader() as reader, system.workers() as workers:
        reader.wait_for(1)
        with _profiled(workers, folder) as files:
            reader.wait_for(TARGETS * events)
    return files


@contextmanager
def _profiled(workers: BenchWorkers, folder: Path) -> Iterator[list[Path]]:
    spy = shutil.which("py-spy", path=str(Path(sys.executable).parent)) or shutil.which("py-spy")
    if spy is None:
        raise click.ClickException("py-spy is not installed: pip install 'tidecast[bench]'")
    files, profilers = [], []
    for name in one_of_each_process():
        for number, process in enumerate(workers.processes(name)):
            file = folder / f"{name}-{number}.speedscope.json"
            command = [spy, "record", "--pid", str(process.pid), "--rate", str(RATE_HZ), "--threads"]
            command += ["--format", "speedscope", "--output", str(file)]
            profilers.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True))
            files.append(file)
    try:
        yield files
    finally:
        for profiler in profilers:
            profiler.send_signal(signal.SIGINT)  # it then writes its file
        outputs = [profiler.communicate(timeout=60)[0] for profiler in profilers]
    for file, output in zip(files, outputs, strict=True):
        if not file.exists():
            raise click.ClickException(
                f"py-spy wrote no {file.name} ({' '.join(output.split()[-20:])}): allow it to read other processes, "
                "as root or with sysctl kernel.yama.ptrace_scope=0"
            )
