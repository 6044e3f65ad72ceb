"""The layout of profiles: a slot for every feature, then for every target's answers."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from streams.usecases.declaration import UseCase

Slot = int


@dataclass(slots=True)
class ProfileLayout:
    """The slots of a use case. `columns`: target → the slot of each place in its vectors."""

    names: list[str]
    kinds: list[str]
    answers: dict[str, Slot]
    columns: dict[str, list[Slot]]
    _fresh: dict[tuple[str, ...], list[tuple[int, Slot]]] = field(default_factory=dict)

    @classmethod
    def of(cls, use_case: UseCase) -> "ProfileLayout":
        """Return the layout of a use case."""
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
        """Return (place in the vector, slot) of the target's features that no target in `asked` has.

        Questions of one customer at one moment share the values of their features. Each value counts once."""
        key = (*asked, target)
        found = self._fresh.get(key)
        if found is None:
            seen = {slot for name in asked for slot in self.columns[name]}
            found = [(place, slot) for place, slot in enumerate(self.columns[target]) if slot not in seen]
            self._fresh[key] = found
        return found
