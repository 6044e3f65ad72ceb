"""A fresh clone installs and passes its tests with every other Python version on this machine."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HERE = f"python{sys.version_info.major}.{sys.version_info.minor}"
PYTHONS = [name for name in ("python3.11", "python3.12", "python3.13") if name != HERE]


@pytest.mark.parametrize("python", PYTHONS)
def test_a_fresh_clone(python: str, tmp_path: Path) -> None:
    if shutil.which(python) is None or subprocess.run([python, "--version"], check=False).returncode:
        pytest.skip(f"{python} is not here")
    subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", str(ROOT), str(tmp_path / "clone")], check=True)
    command = ["make", "lint", "types", "unit", f"PYTHON={python}"]
    done = subprocess.run(command, cwd=tmp_path / "clone", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
