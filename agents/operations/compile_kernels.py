"""Builds the kernels: Cython generates C, and the machine's compiler builds extensions."""

import importlib.util
import shlex
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from streams import kernels
from streams.errors import TidecastError

FLAGS = ("-O2", "-fPIC", "-shared", "-ffp-contract=off")
"""Compiler flags: no fused multiply-add, because its bits differ from Python's."""


class NoCompiler(TidecastError):
    """This machine has no C compiler, or no headers of this Python."""


def build() -> Iterator[str]:
    """Build the missing kernels, and remove extensions of former sources. Yields each kernel's name before its build.

    Raises NoCompiler where this machine cannot compile, and another TidecastError when a kernel does not compile."""
    missing = [source for source in kernels.sources() if not kernels.file_of(source.stem).exists()]
    if missing:
        _check_tools()
    folder = kernels.built()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        why = f"{folder} cannot be created ({error.strerror}): run this as the user who installed Tidecast"
        raise TidecastError(why) from error
    for source in missing:
        yield source.stem
        _compile(source)
    for old in folder.parent.iterdir():
        if old != folder:
            shutil.rmtree(old)


def _compiler() -> list[str]:
    """Return the compiler that built this Python."""
    return shlex.split(sysconfig.get_config_var("CC") or "cc")


def _check_tools() -> None:
    compiler = _compiler()[0]
    if shutil.which(compiler) is None:
        raise NoCompiler(f"{compiler} was not found: install a C compiler")
    headers = sysconfig.get_path("include")
    if not Path(headers, "Python.h").exists():
        raise NoCompiler(f"there is no Python.h in {headers}: install the headers of this Python")
    if importlib.util.find_spec("Cython") is None:
        raise TidecastError("Cython is not installed: install tidecast[compile]")


def _compile(source: Path) -> None:
    """Build one kernel. The extension appears complete or not at all."""
    made = kernels.file_of(source.stem)
    include = f"-I{sysconfig.get_path('include')}"
    with TemporaryDirectory(dir=made.parent) as folder:
        c, extension = Path(folder, f"{source.stem}.c"), Path(folder, made.name)
        _run(source, [sys.executable, "-m", "cython", "-3", str(source), "-o", str(c)])
        _run(source, [*_compiler(), *FLAGS, include, str(c), "-o", str(extension)])
        extension.replace(made)


def _run(source: Path, command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise TidecastError(
            f"the kernel {source.name} does not compile: `{shlex.join(command)}` failed\n{done.stderr.strip()[-2000:]}"
        )
