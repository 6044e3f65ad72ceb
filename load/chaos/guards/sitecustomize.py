"""Switches off the guards in TIDECAST_WITHOUT (separated by commas) in a process that has this folder on PYTHONPATH.

Python imports this module at its start. Each guard is patched when its module is imported, with a line on standard
error. If a guard cannot be patched, the process ends with code 3: a run that only seems to be without the guard
would prove nothing.

TIDECAST_CLOCK_AHEAD sets the process's clock ahead, in seconds."""

import importlib
import os
import sys
import time
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any


def _give_up(what: str) -> None:
    print(f"TIDECAST_WITHOUT: {what}", file=sys.stderr, flush=True)
    os._exit(3)


class _Patching:
    """Comes first on sys.meta_path. It finds the modules to patch as other finders would, and patches each once, after
    it has run."""

    def __init__(self, patches: Sequence[tuple[str, Any]]) -> None:
        self._patches = patches

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """See importlib.abc.MetaPathFinder."""
        if not any(patch.module == name for _, patch in self._patches):
            return None
        others = (finder.find_spec(name, path, target) for finder in sys.meta_path if finder is not self)
        spec = next(filter(None, others), None)
        if spec is None or spec.loader is None:
            return None
        run = spec.loader.exec_module

        def exec_module(module: ModuleType) -> None:
            run(module)
            self._apply(module)

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec

    def _apply(self, module: ModuleType) -> None:
        for guard, patch in self._patches:
            if patch.module != module.__name__:
                continue
            *path, last = patch.attribute.split(".")
            try:
                owner: Any = module
                for part in path:
                    owner = getattr(owner, part)
                setattr(owner, last, patch.make(getattr(owner, last)))
            except Exception as error:
                _give_up(f"{guard}: {patch.module} has no {patch.attribute} as expected ({error!r})")
            print(f"TIDECAST_WITHOUT: {guard}: {patch.module}.{patch.attribute}", file=sys.stderr, flush=True)


def _install(names: Sequence[str]) -> None:
    guards = importlib.import_module("sabotage").GUARDS
    unknown = [name for name in names if name not in guards]
    if unknown:
        _give_up(f"there is no guard {unknown[0]!r}")
    finder: Any = _Patching([(name, patch) for name in names for patch in guards[name].patches])
    sys.meta_path.insert(0, finder)


def _set_clock(ahead: float) -> None:
    """Let this process's clock show another time, as on a machine whose clock is wrong."""
    clock = time.time
    time.time = lambda: clock() + ahead


if os.environ.get("TIDECAST_CLOCK_AHEAD"):
    _set_clock(float(os.environ["TIDECAST_CLOCK_AHEAD"]))
if os.environ.get("TIDECAST_WITHOUT"):
    _install(os.environ["TIDECAST_WITHOUT"].split(","))
