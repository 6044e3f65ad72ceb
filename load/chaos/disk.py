"""A disk for the model store alone, so that it can be full while all else goes on."""

import errno
import os
import shutil
import subprocess
from pathlib import Path

SIZE_MB = 256
_FILLER = "filler"


def mount(folder: Path) -> None:
    """A small file system at `folder`, in memory; only the folder where this machine does not let us mount."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE_MB}m", "tmpfs", str(folder)]
    subprocess.run(command, capture_output=True, check=False)


def unmount(folder: Path) -> None:
    """Leave what it holds in an ordinary folder of the same name."""
    if not os.path.ismount(folder):
        return
    kept = folder.with_name(folder.name + ".kept")
    shutil.copytree(folder, kept)
    subprocess.run(["umount", "--lazy", str(folder)], check=True)
    folder.rmdir()
    kept.rename(folder)


def fill(folder: Path) -> bool:
    """Until there is no room left; False when it is no disk of its own."""
    if not os.path.ismount(folder):
        return False
    with (folder / _FILLER).open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(1 << 16))
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
    return True


def clear(folder: Path) -> None:
    """Room again."""
    (folder / _FILLER).unlink(missing_ok=True)
