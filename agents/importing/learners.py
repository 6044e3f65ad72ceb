"""How far learners are behind what they have to learn, from the records of the log alone."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple


class LearntTarget(NamedTuple):
    """A target as learners see it. partition: of labelled-examples."""

    partition: int
    serve_every: int
    arms: tuple[str, ...]


@dataclass(slots=True)
class _Arm:
    """waiting: offsets of the examples after its last switch. given_up: whether it is not waited for."""

    serve_every: int
    waiting: deque[int] = field(default_factory=deque)
    given_up: bool = False


class Learners:
    """Counts the examples that no served version holds.

    An arm serves a version after every `serve_every` examples. So with that many after its last switch it is behind."""

    def __init__(self, targets: Mapping[str, LearntTarget]) -> None:
        self._arms = {(name, arm): _Arm(target.serve_every) for name, target in targets.items() for arm in target.arms}
        self._by_partition = {
            target.partition: [self._arms[name, arm] for arm in target.arms] for name, target in targets.items()
        }

    def example(self, partition: int, offset: int) -> None:
        """Note an example of labelled-examples."""
        for arm in self._by_partition.get(partition, ()):
            arm.waiting.append(offset)

    def switch(self, target: str, arm: str, offset: int) -> None:
        """Note the switch to a version that has learnt the examples up to an offset."""
        found = self._arms.get((target, arm))
        if found is not None:
            found.given_up = False
            while found.waiting and found.waiting[0] <= offset:
                found.waiting.popleft()

    def behind(self, blocks: int = 1) -> list[str]:
        """Return the arms that are behind by so many versions, as `target/arm`."""
        return [
            f"{target}/{name}"
            for (target, name), arm in self._arms.items()
            if len(arm.waiting) >= blocks * arm.serve_every and not arm.given_up
        ]

    def give_up(self) -> list[str]:
        """Wait for the arms that are behind no longer, until they serve again. Returns them."""
        found = self.behind()
        for (target, name), arm in self._arms.items():
            arm.given_up |= f"{target}/{name}" in found
        return found
