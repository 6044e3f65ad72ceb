"""Keeps former versions of every schema, so that a change that breaks a reader fails in the tests.

Files: `history/<full name>/<version>.avsc`, counting from 1; the greatest is the present one.

python -m schemas.history     # after a change: adds the next version where a schema differs"""

import json
from pathlib import Path

from schemas.catalog import FOLDER, Schema, load_file, load_folder
from schemas.compatibility import change_problems
from schemas.forms import strip_logical_types

HISTORY = Path(__file__).parent / "history"


def all_schemas() -> dict[str, Schema]:
    """Return the present schemas of this tree: ours and those of the shipped use cases."""
    found = dict(load_folder(FOLDER))
    for folder in sorted((FOLDER.parent / "usecases").glob("*/")):
        found.update(load_folder(folder))
    return found


def versions(name: str) -> list[Schema]:
    """Return the kept versions of a schema, oldest first."""
    files = sorted((HISTORY / name).glob("*.avsc"), key=lambda file: int(file.stem))
    return [load_file(file) for file in files]


def main() -> None:
    """Add the next version where a schema differs. Raises ValueError for a change that breaks a reader."""
    for name, schema in all_schemas().items():
        kept = versions(name)
        if kept and strip_logical_types(kept[-1]) == strip_logical_types(schema):
            continue
        for number, old in enumerate(kept, 1):
            found = change_problems(schema, old)
            if found:
                raise ValueError(f"{name} breaks its version {number}: {found[0]}")
        file = HISTORY / name / f"{len(kept) + 1}.avsc"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(schema, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        print(f"kept {name} version {len(kept) + 1}")


if __name__ == "__main__":
    main()
