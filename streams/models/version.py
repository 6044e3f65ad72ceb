"""A model version is a place in the log: it has learnt the example at that offset and all before it."""

from typing import NamedTuple


class Version(NamedTuple):
    """One state of an arm, written `churn/logistic.1@81233`.

    lineage: counts fresh starts of the arm, from 1. offset: in labelled-examples, of the last example
    learnt; -1 is untrained."""

    target: str
    arm: str
    lineage: int
    offset: int

    def __str__(self) -> str:
        return f"{self.target}/{self.arm}.{self.lineage}@{self.offset}"

    @classmethod
    def parse(cls, text: str) -> "Version":
        """The version that `str` wrote; ValueError when it is none."""
        place, _, offset = text.rpartition("@")
        target, _, arm = place.rpartition("/")
        name, _, lineage = arm.rpartition(".")
        if not target or not name:
            raise ValueError(f"{text!r} is no model version such as churn/logistic.1@81233.")
        return cls(target, name, int(lineage), int(offset))

    @property
    def folder(self) -> str:
        """Where all snapshots of this lineage lie in the model store, with a trailing slash."""
        return f"{self.target}/{self.arm}/{self.lineage}/"

    @property
    def path(self) -> str:
        """Path of this version's snapshot: sorted as text, the versions of a lineage are in log order."""
        return f"{self.folder}{self.offset:020d}.snapshot"
