"""Gives the model store a disk of its own, so that it can be full while everything else works."""

import errno
import os
import shutil
import subprocess
from pathlib import Path

SIZE_MB = 256
_FILLER = "filler"


def mount(folder: Path) -> None:
    """Mount a small file system in memory at `folder`. Where mounting is not allowed, only create the folder."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE_MB}m", "tmpfs", str(folder)]
    subprocess.run(command, capture_output=True, check=False)


def unmount(folder: Path) -> None:
    """Unmount it, and keep its files in an ordinary folder of the same name."""
    if not os.path.ismount(folder):
        return
    kept = folder.with_name(folder.name + ".kept")
    shutil.copytree(folder, kept)
    subprocess.run(["umount", "--lazy", str(folder)], check=True)
    folder.rmdir()
    kept.rename(folder)


def fill(folder: Path) -> bool:
    """Fill the disk. False when `folder` is not a disk of its own."""
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
    """Free the space that `fill` took."""
    (folder / _FILLER).unlink(missing_ok=True)
