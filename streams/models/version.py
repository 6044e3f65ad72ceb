"""Model versions. A version is a place in the log: it has learnt the example there and all before it."""

from typing import NamedTuple


class Version(NamedTuple):
    """A state of an arm, written `churn/logistic.1@81233`.

    lineage: number of the arm's fresh start, from 1. offset: of the last learnt example in labelled-examples; -1 is
    untrained."""

    target: str
    arm: str
    lineage: int
    offset: int

    def __str__(self) -> str:
        return f"{self.target}/{self.arm}.{self.lineage}@{self.offset}"

    @classmethod
    def parse(cls, text: str) -> "Version":
        """Parse the text that `str` wrote. Raises ValueError for any other."""
        place, _, offset = text.rpartition("@")
        target, _, arm = place.rpartition("/")
        name, _, lineage = arm.rpartition(".")
        if not target or not name:
            raise ValueError(f"{text!r} is not a model version such as churn/logistic.1@81233.")
        return cls(target, name, int(lineage), int(offset))

    @property
    def folder(self) -> str:
        """The folder of all snapshots of this lineage in the model store, with a trailing slash."""
        return f"{self.target}/{self.arm}/{self.lineage}/"

    @property
    def path(self) -> str:
        """The path of this version's snapshot. Sorted as text, the versions of a lineage are in log order."""
        return f"{self.folder}{self.offset:020d}.snapshot"
