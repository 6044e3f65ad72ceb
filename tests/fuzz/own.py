"""Fuzzing without coverage. A child process runs the target. Its parent detects crashes, hangs and memory growth."""

import importlib
import mmap
import multiprocessing
import resource
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.fuzz.mutate import Mutator

PATIENCE_S = 10.0
"""Time limit of one input on a busy machine."""
SWELL_BYTES = 256 << 20
"""Limit of the memory growth that one input may cause."""
ROOM = 1 << 20
_HEAD = struct.Struct("<QQQI")
"""Layout of the shared memory: inputs done, peak memory, duration of the slowest input (ns), size of the input."""


@dataclass
class Result:
    """The result of a run."""

    target: str
    inputs: int = 0
    seconds: float = 0.0
    slowest_s: float = 0.0
    peak_bytes: int = 0
    defects: list[tuple[str, bytes]] = field(default_factory=list)

    def __str__(self) -> str:
        rate = self.inputs / self.seconds if self.seconds else 0.0
        return (
            f"{self.target}: {self.inputs:,} inputs in {self.seconds:.0f} s, {rate:,.0f}/s, slowest "
            f"{1000 * self.slowest_s:.0f} ms, peak {self.peak_bytes / 2**20:.0f} MiB, {len(self.defects)} defects"
        )


def fuzz(target: str, seconds: float, inputs: int, seed: int, most_defects: int = 20) -> Result:
    """Run a target until the time, the number of inputs or the number of defects reaches its limit."""
    result = Result(target)
    importlib.import_module(f"tests.fuzz.targets.{target}")  # import before the fork starts the time limit
    began = time.monotonic()
    while len(result.defects) < most_defects:
        left = min(seconds - (time.monotonic() - began), 1e9)
        if left <= 0 or result.inputs >= inputs:
            break
        _one_child(result, left, inputs - result.inputs, seed + len(result.defects))
    result.seconds = time.monotonic() - began
    return result


def _one_child(result: Result, seconds: float, inputs: int, seed: int) -> None:
    shared = mmap.mmap(-1, ROOM)
    ours, theirs = multiprocessing.Pipe(duplex=False)
    work = multiprocessing.get_context("fork").Process(
        target=_child, args=(result.target, seconds, inputs, seed, shared, theirs)
    )
    work.start()
    why = _watch(work, shared, ours)
    work.join()
    done, peak, slowest, size = _HEAD.unpack_from(shared)
    result.inputs += done
    result.peak_bytes = max(result.peak_bytes, peak)
    result.slowest_s = max(result.slowest_s, slowest / 1e9)
    if why:
        result.defects.append((why, bytes(shared[_HEAD.size : _HEAD.size + size])))


def _watch(work: multiprocessing.Process, shared: mmap.mmap, told: "multiprocessing.connection.Connection") -> str:
    """Watch the child. Return why it ended early, or "" when it did not."""
    done, since = -1, time.monotonic()
    while work.is_alive():
        work.join(0.1)
        now = _HEAD.unpack_from(shared)[0]
        if now != done:
            done, since = now, time.monotonic()
        elif time.monotonic() - since > PATIENCE_S:
            work.kill()
            return f"hangs for more than {PATIENCE_S:.0f} s"
    if told.poll():
        return str(told.recv())
    return "" if work.exitcode == 0 else f"the process died ({work.exitcode})"


def _child(name: str, seconds: float, inputs: int, seed: int, shared: mmap.mmap, tell) -> None:  # type: ignore[no-untyped-def]
    target = importlib.import_module(f"tests.fuzz.targets.{name}")
    mutator = Mutator(target.SEEDS, seed)
    check: Callable[[bytes], None] = target.check
    end = time.monotonic() + seconds
    done, slowest, peak = 0, 0, _peak()
    clock = time.perf_counter_ns
    while done < inputs and (done & 255 or time.monotonic() < end):
        data = target.SEEDS[done] if done < len(target.SEEDS) else mutator.draw()
        _HEAD.pack_into(shared, 0, done, peak, slowest, len(data))
        shared[_HEAD.size : _HEAD.size + len(data)] = data
        began = clock()
        try:
            check(data)
        except BaseException as error:
            tell.send(f"{type(error).__name__}: {error}"[:500])
            done += 1
            break
        slowest = max(slowest, clock() - began)
        done += 1
        grown, peak = _peak() - peak, max(peak, _peak())
        if grown > SWELL_BYTES and done > 1:
            tell.send(f"the process grew by {grown >> 20} MiB")
            break
    _HEAD.pack_into(shared, 0, done, peak, slowest, _HEAD.unpack_from(shared)[3])


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def save(result: Result, folder: Path) -> list[Path]:
    """Write the failing inputs to files for `--input`."""
    folder.mkdir(parents=True, exist_ok=True)
    saved = []
    for number, (_, data) in enumerate(result.defects):
        file = folder / f"{result.target}-{number}"
        file.write_bytes(data)
        saved.append(file)
    return saved
