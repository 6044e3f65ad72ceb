"""The types of a guard, and what several guards share.

Everything in this package runs at the start of a worker process: standard library only. Modules under test are
imported when a patch is applied. Imports are relative because a worker loads the package as `sabotage`, from its
PYTHONPATH, and the harness as `load.chaos.guards.sabotage`."""

import importlib
from collections.abc import Callable
from typing import Any, NamedTuple


class Patch(NamedTuple):
    """A replacement for `module.attribute`: `make` receives the original and returns the replacement."""

    module: str
    attribute: str
    make: Callable[[Any], Any]


class Guard(NamedTuple):
    """A mechanism that protects the data, and how to switch it off.

    protects: what the guard ensures. exposed_by: the fault that causes an error without it; fail points are
    STAGE.POINT. patches: how workers run without it."""

    protects: str
    exposed_by: str
    patches: tuple[Patch, ...]


def hit(point: str) -> None:
    """Pass the fail point `point` of the code under test."""
    importlib.import_module("sinks.failpoints").hit(point)


def do_nothing(_: Any) -> Any:
    """Replace a function by one that does nothing."""
    return lambda *arguments, **named: None
