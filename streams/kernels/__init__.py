"""Kernels: inner loops of scoring, compiled by Cython. Without them Python does the same.

`tidecast compile` builds them into a folder named by a digest of their sources, so that what was built from other
sources is never loaded."""

import importlib.machinery
import importlib.util
import os
from functools import cache
from hashlib import blake2b
from pathlib import Path
from types import ModuleType

FOLDER = Path(__file__).parent
SUFFIX = importlib.machinery.EXTENSION_SUFFIXES[0]
"""Of extensions for this Python, operating system and processor."""
PURE = "TIDECAST_PURE"
"""Environment variable that, when set, leaves all to Python: to compare, or when a kernel is suspected."""


def sources() -> list[Path]:
    """The kernels' sources, one an extension."""
    return sorted(FOLDER.glob("*.pyx"))


@cache
def built() -> Path:
    """Where extensions built from the present sources lie, or would."""
    digest = blake2b(digest_size=8)
    for source in sorted(FOLDER.glob("*.p[yx][xi]")):
        digest.update(source.read_bytes())
    return FOLDER / "built" / digest.hexdigest()


def compiled() -> bool:
    """Whether the kernels are used."""
    return PURE not in os.environ and all(file_of(source.stem).exists() for source in sources())


def file_of(name: str) -> Path:
    """The extension of a kernel."""
    return built() / f"{name}{SUFFIX}"


@cache
def kernel(name: str) -> ModuleType | None:
    """The extension of that name; None where the kernels are not used, which a process decides once."""
    if not compiled():
        return None
    spec = importlib.util.spec_from_file_location(f"{__name__}.{name}", file_of(name))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
