"""The fingerprint of this process, as a deployment records it. Bit-exactness is promised per fingerprint."""

import hashlib
import importlib.metadata
import platform
from functools import cache
from pathlib import Path

import schemas
import streams
from streams.deployment import Fingerprint
from streams.kernels import compiled

SOURCES = (".py", ".pyx", ".pxi")
"""Python, kernels, and what kernels include."""


@cache
def running() -> Fingerprint:
    """Return the fingerprint of this process: River's and Python's version, our code's digest, the CPU's class, and
    whether the kernels are in use."""
    return Fingerprint(
        river=importlib.metadata.version("river"),
        code=code_digest(*(Path(package.__path__[0]) for package in (schemas, streams))),
        python=platform.python_version(),
        cpu=f"{platform.machine()}-{_vectors(Path('/proc/cpuinfo'))}",
        kernels=compiled(),
    )


def code_digest(*folders: Path) -> str:
    """Return the first 12 hex digits of a SHA-256 over the sources in these folders, kernels included."""
    digest = hashlib.sha256()
    for folder in folders:
        for file in sorted(file for file in folder.rglob("*") if file.suffix in SOURCES):
            digest.update(file.relative_to(folder).as_posix().encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:12]


def _vectors(cpuinfo: Path) -> str:
    """Return the widest vector unit that NumPy may use: sums round differently by it."""
    try:
        flags = cpuinfo.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "unknown"
    return next((name for name in ("avx512f", "avx2", "asimd") if f" {name}" in flags), "plain")
