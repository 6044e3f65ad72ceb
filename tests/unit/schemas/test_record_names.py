"""Record names and types come from the generated modules. None is written by hand."""

import re
import subprocess
from pathlib import Path

from schemas.generate import generated_files

ROOT = Path(__file__).parents[3]
LITERAL = re.compile(r"""(["'])tidecast\.[A-Z]\w*\1""")
CLASS = re.compile(r"^class (\w+)", re.MULTILINE)


def files(*folders):
    listed = subprocess.run(["git", "ls-files", *folders], cwd=ROOT, capture_output=True, text=True, check=True)
    return [ROOT / name for name in listed.stdout.splitlines() if name.endswith((".py", ".pyx", ".pxi"))]


def test_no_code_outside_schemas_writes_a_record_name():
    found = [
        f"{file.relative_to(ROOT)}:{number}: {line.strip()}"
        for file in files("streams", "sinks", "agents")
        for number, line in enumerate(file.read_text().splitlines(), 1)
        if LITERAL.search(line)
    ]
    assert found == [], "import the name from schemas.records"


def test_no_class_has_the_name_of_a_generated_one():
    generated = {file: set(CLASS.findall(file.read_text())) for file in generated_files()}
    names = set().union(*generated.values())
    assert sum(map(len, generated.values())) == len(names)
    taken = {
        name: str(file.relative_to(ROOT))
        for file in files("schemas", "streams", "sinks", "agents", "load", "tests")
        if file not in generated
        for name in CLASS.findall(file.read_text())
        if name in names
    }
    assert taken == {}
