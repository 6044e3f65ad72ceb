"""Rules for the source tree: the size of folders, unique class names, links, and how tests wait."""

import ast
import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
MOST_MODULES = 13
"""The largest number of modules in a folder. A larger folder should be split."""


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


CLOCKS = {"sleep", "monotonic", "perf_counter", "process_time", "thread_time"}
"""Functions of module time. An assertion on their results depends on the machine."""
USAGE = {"memory_info", "cpu_times", "cpu_percent", "getrusage"}
WAITS = {"wait", "communicate", "result", "flush", "poll", "join"}
LEAST_PATIENCE_S = 1
"""A time-out of at least this many seconds must use tests.waiting.PATIENCE_S."""
OWN_CLOCKS = {
    "tests/waiting.py": "it waits for all others",
    "tests/loaded.py": "it tells how long the tests take",
    "tests/fuzz/own.py": "the fuzzer watches its child",
    "tests/fuzz/live.py": "the fuzzer watches its server",
    "tests/integration/runtime/counting/gate.py": "part of a worker's program",
    "tests/integration/runtime/counting/stage.py": "part of a worker's program",
}


def _asks_the_machine(node: ast.AST) -> str:
    """Return what makes a piece of code depend on the machine's speed or load. Return "" when nothing does."""
    match node:
        case ast.Attribute(value=ast.Name("time"), attr=name) if name in CLOCKS:
            return f"time.{name}"
        case ast.ImportFrom(module="time", names=names) if any(alias.name in CLOCKS for alias in names):
            return "from time import"
        case ast.Attribute(attr=name) if name in USAGE:
            return name
        case ast.Call(func=ast.Attribute(attr=name), args=args) if name in WAITS and any(map(_is_patience, args)):
            return f"{name} with a patience of its own"
        case ast.keyword(arg="timeout", value=value) if _is_patience(value):
            return "timeout with a patience of its own"
    return ""


def _is_patience(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Constant)
        and isinstance(node.value, int | float)
        and not isinstance(node.value, bool)
        and node.value >= LEAST_PATIENCE_S
    )


def _found(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if what := _asks_the_machine(node):
            yield f"{path}:{node.lineno}: {what}"  # type: ignore[attr-defined]


def test_tests_wait_for_conditions_and_measure_no_machine() -> None:
    """Tests use tests.waiting, their own clock, or a count of finished work. They do not depend on the machine's
    speed."""
    tests = [path for path in _modules() if path.parts[0] == "tests" and str(path) not in OWN_CLOCKS]
    assert [line for path in tests for line in _found(path)] == []
    assert all(any(_found(Path(path))) for path in OWN_CLOCKS), "a file in OWN_CLOCKS no longer needs its entry"


def test_a_class_name_stands_in_one_module_only() -> None:
    places: dict[str, list[str]] = {}
    for path in _modules():
        if path.parts[0] == "tests":
            continue
        for line in (ROOT / path).read_text(encoding="utf-8").splitlines():
            if line.startswith("class ") and not line.startswith("class _"):
                places.setdefault(line[6:].split("(")[0].split(":")[0].split("[")[0], []).append(str(path))
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def test_every_link_between_documents_leads_somewhere() -> None:
    listed = subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True)
    broken = [
        f"{page}: {link}"
        for page in listed.stdout.splitlines()
        for link in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", (ROOT / page).read_text(encoding="utf-8"))
        if "://" not in link and not (ROOT / page).parent.joinpath(link.replace("\\", "")).exists()
    ]
    assert broken == []
