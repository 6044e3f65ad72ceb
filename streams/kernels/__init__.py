"""Kernels: inner loops of scoring and learning, compiled by Cython. Without them the Python code does the same.

`tidecast compile` builds them into a folder that is named by a digest of their sources, so that a kernel built from
other sources is never loaded."""

import importlib.machinery
import importlib.util
import os
from functools import cache
from hashlib import blake2b
from pathlib import Path
from types import ModuleType

FOLDER = Path(__file__).parent
SUFFIX = importlib.machinery.EXTENSION_SUFFIXES[0]
"""File suffix of extensions for this Python, operating system and processor."""
PURE = "TIDECAST_PURE"
"""Environment variable that, when set, switches kernels off: to compare, or when a kernel is suspected."""


def sources() -> list[Path]:
    """Return the sources of the kernels, one per extension."""
    return sorted(FOLDER.glob("*.pyx"))


@cache
def built() -> Path:
    """Return the folder of extensions that are built from the present sources. It may not exist yet."""
    digest = blake2b(digest_size=8)
    for source in sorted(FOLDER.glob("*.p[yx][xi]")):
        digest.update(source.read_bytes())
    return FOLDER / "built" / digest.hexdigest()


def compiled() -> bool:
    """Return whether kernels are used."""
    return PURE not in os.environ and all(file_of(source.stem).exists() for source in sources())


def file_of(name: str) -> Path:
    """Return the path of a kernel's extension."""
    return built() / f"{name}{SUFFIX}"


@cache
def kernel(name: str) -> ModuleType | None:
    """Return the extension of that name; None where kernels are not used. A process decides that once."""
    if not compiled():
        return None
    spec = importlib.util.spec_from_file_location(f"{__name__}.{name}", file_of(name))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
