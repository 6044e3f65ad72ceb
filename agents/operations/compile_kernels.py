"""Building the kernels: Cython makes C of them, the machine's compiler makes extensions of that."""

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
"""No fused multiplication and addition: its bits would differ from Python's."""


def build() -> Iterator[str]:
    """Build what is not there yet, and tell each kernel's name before; then remove the extensions of former sources.
    TidecastError says what is missing."""
    folder = kernels.built()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        why = f"{folder} cannot be made ({error.strerror}): run this as who installed Tidecast"
        raise TidecastError(why) from error
    for source in kernels.sources():
        if not kernels.file_of(source.stem).exists():
            yield source.stem
            _compile(source)
    for old in folder.parent.iterdir():
        if old != folder:
            shutil.rmtree(old)


def _compile(source: Path) -> None:
    """One kernel; it appears complete or not at all."""
    made = kernels.file_of(source.stem)
    compiler = shlex.split(sysconfig.get_config_var("CC") or "cc")
    include = f"-I{sysconfig.get_path('include')}"
    with TemporaryDirectory(dir=made.parent) as folder:
        c, extension = Path(folder, f"{source.stem}.c"), Path(folder, made.name)
        _run([sys.executable, "-m", "cython", "-3", str(source), "-o", str(c)], "install tidecast[compile]")
        hint = "install a C compiler and the headers of this Python"
        _run([*compiler, *FLAGS, include, str(c), "-o", str(extension)], hint)
        extension.replace(made)


def _run(command: list[str], hint: str) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        raise TidecastError(f"{command[0]} is not there: {hint}") from None
    if done.returncode:
        raise TidecastError(f"{hint}: `{shlex.join(command)}` failed\n{done.stderr.strip()[-2000:]}")
