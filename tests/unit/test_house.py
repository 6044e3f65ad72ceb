"""Rules about the tree itself: how many files a folder holds, and where things may lie."""

import subprocess
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[2]
MOST_MODULES = 13
"""A folder with more is two folders."""


def _modules() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.py"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [path for path in map(Path, listed.stdout.splitlines()) if (ROOT / path).exists()]


def test_no_folder_holds_more_than_about_a_dozen_modules() -> None:
    sizes = Counter(path.parent for path in _modules() if path.name != "__init__.py")
    assert {str(folder): size for folder, size in sizes.items() if size > MOST_MODULES} == {}
