"""What a check found."""

from dataclasses import dataclass, field

SHOWN = 10
"""Differences told per check."""
LENGTH = 500
"""Characters told of a difference."""


@dataclass
class Finding:
    """One check: `name` for machines, `what` for people, how many things were compared, how many lie in the log more
    than once (no difference: a reader drops them), and the first differences; `differing` counts them all."""

    name: str
    what: str
    compared: int = 0
    repeated: int = 0
    differences: list[str] = field(default_factory=list)
    differing: int = 0
    repetition: str = "sent again"
    """What the repeated ones are, for people."""
    behind: bool = False
    """Whether a worker has not worked off all there is, so that differences mean nothing yet."""

    def differs(self, sentence: str) -> None:
        """One more difference; only the first are kept."""
        self.differing += 1
        if self.differing <= SHOWN:
            self.differences.append(sentence if len(sentence) <= LENGTH else sentence[:LENGTH] + "…")

    def lags(self, sentence: str) -> None:
        """A difference that only says that a worker has not caught up."""
        self.behind = True
        self.differs(sentence)

    def as_json(self) -> dict[str, object]:
        """For `--json`."""
        return {
            "compared": self.compared,
            "repeated": self.repeated,
            "differing": self.differing,
            "behind": self.behind,
            "differences": self.differences,
        }
