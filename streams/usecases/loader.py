"""Finds a use case by name or path, and reads its event schemas."""

import importlib
import re
import runpy
import traceback
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import schemas
from schemas.catalog import Schema, load_folder
from streams.errors import DeclarationError
from streams.usecases.declaration import UseCase
from streams.usecases.problems import check

SCHEMAS = Path(schemas.__file__).parent / "usecases"


def load_use_case(ref: str) -> UseCase:
    """Return the checked use case `ref`: the name of a shipped one, or the path of a folder with `usecase.py` and
    `schemas/*.avsc` (or of the .py file itself). Runs that file.

    Raises DeclarationError, in one sentence, for what cannot be loaded and for the first problem found."""
    use_case = read_use_case(ref)
    problems = check(use_case)
    if problems:
        more = f" ({len(problems) - 1} more: run `tidecast check {ref}`)" if len(problems) > 1 else ""
        raise DeclarationError(f"{ref}: {problems[0]}{more}")
    return use_case


def shipped() -> list[str]:
    """Return the names of the use cases that come with Tidecast."""
    return sorted(folder.name for folder in SCHEMAS.iterdir() if folder.is_dir())


def read_use_case(ref: str) -> UseCase:
    """Return a use case as load_use_case does, without checking the declarations."""
    if ref in shipped():
        module = importlib.import_module(f"streams.usecases.{ref}")
        return _with_events(module.USE_CASE, SCHEMAS / ref)
    path = Path(ref)
    file = path / "usecase.py" if path.is_dir() else path
    if not file.is_file() or file.suffix != ".py":
        if path.is_dir():
            raise DeclarationError(f"{ref} holds no usecase.py: run `tidecast init {ref}` to write one.")
        raise DeclarationError(
            f"no use case {ref!r}: name one of {', '.join(shipped())}, or the folder that holds usecase.py."
        )
    found = _run(file)
    if not isinstance(found.get("USE_CASE"), UseCase):
        raise DeclarationError(f"{file} sets no USE_CASE: end it with `USE_CASE = UseCase(...)`.")
    folder = file.parent / "schemas"
    if not folder.is_dir():
        raise DeclarationError(f"{folder} is missing: put one .avsc file per event there.")
    return _with_events(found["USE_CASE"], folder)


def _with_events(use_case: UseCase, folder: Path) -> UseCase:
    try:
        found = load_folder(folder)
    except (ValueError, OSError) as error:
        raise DeclarationError(f"{folder}: {error}") from error
    if not found:
        raise DeclarationError(f"{folder} holds no .avsc file: put one per event there.")
    events: dict[str, Schema] = {}
    for name, schema in found.items():
        short = name.rsplit(".", 1)[-1]
        if short in events:
            raise DeclarationError(f"{folder}: two events are named {short}; rename one of them.")
        events[short] = schema
    return replace(use_case, events=events)


def _run(file: Path) -> dict[str, Any]:
    try:
        return runpy.run_path(str(file))
    except SyntaxError as error:
        place = f"{error.filename or file}, line {error.lineno}"
        raise DeclarationError(f"{place}: Python cannot read this: {error.msg}; correct it.") from error
    except (Exception, SystemExit) as error:
        lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == str(file)]
        place = f"{file}, line {lines[-1]}" if lines else str(file)
        raise DeclarationError(f"{place}: {_explain(error)}") from error


def _explain(error: BaseException) -> str:
    """Return one sentence for an error that a line of a declaration raised."""
    text = str(error)
    wrong = re.search(r"(\w+)\.__init__\(\) got an unexpected keyword argument '(\w+)'", text)
    if wrong:
        return f"{wrong[1]} has no field {wrong[2]!r}{_nearest(wrong[1], wrong[2])}"
    missing = re.search(r"(\w+)\.__init__\(\) missing \d+ required positional arguments?: (.+)", text)
    if missing:
        return f"{missing[1]} lacks {missing[2]}: give a value for each."
    if isinstance(error, NameError):
        return f"{text}; import it from streams.usecases, or correct its spelling."
    return (
        f"{type(error).__name__}: {text}; correct the line." if text else f"{type(error).__name__}; correct the line."
    )


def _nearest(declaration: str, field: str) -> str:
    kind = getattr(importlib.import_module("streams.usecases"), declaration, None)
    known = list(getattr(kind, "__dataclass_fields__", {}))
    near = get_close_matches(field, known, 1, 0.5)
    return f"; did you mean {near[0]!r}?" if near else f"; it has {', '.join(known)}."
