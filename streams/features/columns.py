"""Columns: what a tile keeps of its events. Seven kinds are compiled; the last one calls Python."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

COUNT, VALUES, SUM, MIN, MAX, DISTINCT, FOLD = range(7)
"""Events; events whose field is not null; aggregates of the values that are not null; a Fold of them."""


@dataclass(frozen=True)
class Fold:
    """A kind of column that is not compiled. It costs one Python call per event.

    name: the stored state names its columns by it, so it never changes its meaning and no other fold has it.
    step: (what is kept so far, None at first; a value) → what is kept, a value for msgpack, which it may change."""

    name: str
    step: Callable[[Any, Any], Any] = field(repr=False, compare=False)


class Column(NamedTuple):
    """One aggregate per tile; `cap` is that of a distinct count."""

    kind: int | Fold
    field: str = ""
    cap: int = 0

    @property
    def empty(self) -> Any:
        """What a tile without events holds."""
        return 0 if self.kind in (COUNT, VALUES, SUM) else None

    @property
    def compiled(self) -> tuple[int, str, Any]:
        """(kind, field, cap or step), as the inner loops take it."""
        if isinstance(self.kind, Fold):
            return FOLD, self.field, self.kind.step
        return self.kind, self.field, self.cap
