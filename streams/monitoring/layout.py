"""What is profiled: every feature, then every target's answers; each has a slot."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from streams.usecases.declaration import UseCase

Slot = int


@dataclass(slots=True)
class Layout:
    """Slots of a use case. `columns`: per target, the slot of each place of its predictions' vectors."""

    names: list[str]
    kinds: list[str]
    answers: dict[str, Slot]
    columns: dict[str, list[Slot]]
    _fresh: dict[tuple[str, ...], list[tuple[int, Slot]]] = field(default_factory=dict)

    @classmethod
    def of(cls, use_case: UseCase) -> "Layout":
        """The layout of a use case."""
        features = [feature.name for feature in use_case.features]
        targets = [target.name for target in use_case.targets]
        place = {name: slot for slot, name in enumerate(features)}
        return cls(
            features + targets,
            ["feature"] * len(features) + ["answer"] * len(targets),
            {name: len(features) + number for number, name in enumerate(targets)},
            {t.name: [place[name] for name in t.features or features] for t in use_case.targets},
        )

    def fresh(self, asked: Sequence[str], target: str) -> list[tuple[int, Slot]]:
        """(place in the vector, slot) of the target's features that the targets in `asked` do not have.

        Questions of one customer at one moment share their features' values: each counts once."""
        key = (*asked, target)
        found = self._fresh.get(key)
        if found is None:
            seen = {slot for name in asked for slot in self.columns[name]}
            found = [(place, slot) for place, slot in enumerate(self.columns[target]) if slot not in seen]
            self._fresh[key] = found
        return found
