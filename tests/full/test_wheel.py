"""The wheel contains every file. The installed command works without a clone and with an empty home folder."""

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Callable
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.kernels import REQUIRED

ROOT = Path(__file__).parents[2]
PACKAGES = ("schemas", "streams", "sinks", "agents", "load")
METADATA = ("pyproject.toml", "README.md", "LICENSE")
OF_A_CLONE = ("schemas/history/",)
"""Files that only the tests and `python -m schemas.history` read."""
BUILT = shutil.ignore_patterns("__pycache__", "built", "*.so")
Run = Callable[..., "subprocess.CompletedProcess[str]"]


def pip(*arguments: str) -> None:
    command = [sys.executable, "-m", "pip", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy the sources without build products."""
    tree = tmp_path_factory.mktemp("tree")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tree / package, ignore=BUILT)
    for name in METADATA:
        shutil.copy(ROOT / name, tree)
    return tree


@pytest.fixture(scope="module")
def wheel(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(tree))
    [wheel] = folder.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def run(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Return a function that runs the installed command: `run("check", "myshop")`. The working folder and the home are
    empty."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder / "venv")
    scripts = folder / "venv" / "bin"
    pip("--python", str(scripts / "python"), "install", "--no-deps", "--no-index", str(wheel))
    [packages] = (folder / "venv").glob("lib/python*/site-packages")
    # Add this environment's dependencies. Its own Tidecast is not found: a .pth file names it, and Python does not read
    # that file here.
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    where = [str(scripts / "python"), "-c", "import agents; print(agents.__path__[0])"]
    assert subprocess.check_output(where, cwd=folder, text=True).strip() == str(packages / "agents")
    for name in ("home", "work"):
        (folder / name).mkdir()
    environment = {"PATH": f"{scripts}:/usr/local/bin:/usr/bin:/bin", "HOME": str(folder / "home")}

    def run(*arguments: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
        command = [str(scripts / "tidecast"), *arguments]
        done = subprocess.run(
            command, cwd=folder / "work", env=environment, capture_output=True, text=True, check=False
        )
        assert not check or done.returncode == 0, done.stdout + done.stderr
        assert list((folder / "home").iterdir()) == []
        return done

    return run


def test_every_file_is_inside(tree: Path, wheel: Path) -> None:
    files = {file.relative_to(tree).as_posix() for package in PACKAGES for file in (tree / package).rglob("*.*")}
    wanted = {name for name in files if (tree / name).is_file() and not name.startswith(OF_A_CLONE)}
    found = {name for name in ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert found == wanted


def test_the_licence_and_the_types_are_inside(wheel: Path) -> None:
    names = ZipFile(wheel).namelist()
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)
    assert {f"{package}/py.typed" for package in PACKAGES} <= {*names}


def test_a_use_case_is_made_and_checked(run: Run) -> None:
    assert "Commands" in run("--help").stdout
    run("init", "myshop")
    assert "valid" in run("check", "myshop").stdout
    run("check", "telecom")


def test_the_kernels_are_compiled_where_they_are_installed(run: Run) -> None:
    done = run("compile", check=False)
    if done.returncode == 3 and REQUIRED not in os.environ:
        pytest.skip(done.stderr)
    assert done.returncode == 0, done.stderr
    assert "already" in run("compile").stderr
