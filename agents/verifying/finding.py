"""The result of a check."""

from dataclasses import dataclass, field

SHOWN = 10
"""The maximum number of differences shown per check."""
LENGTH = 500
"""The maximum number of characters shown of a difference."""


@dataclass
class Finding:
    """The result of one check.

    name, what: its name for machines and for people. compared: number of things compared. repeated: things that lie in
    the log more than once, which is no difference, since readers drop them. differing: number of differences;
    differences: the first ones, in words. left: records after the stage's position, which were not compared."""

    name: str
    what: str
    compared: int = 0
    repeated: int = 0
    differences: list[str] = field(default_factory=list)
    differing: int = 0
    repetition: str = "sent again"
    """The name of the repeated things, for people."""
    left: int = 0
    lagging: bool = False
    """Whether a stage has processed nothing at all yet, so that differences mean nothing."""

    def differs(self, sentence: str) -> None:
        """Count a difference; keep the first ones."""
        self.differing += 1
        if self.differing <= SHOWN:
            self.differences.append(sentence if len(sentence) <= LENGTH else sentence[:LENGTH] + "…")

    def lags(self, sentence: str) -> None:
        """Count a difference that only shows that a stage has processed nothing yet, or has lost its position."""
        self.lagging = True
        self.differs(sentence)

    def as_json(self) -> dict[str, object]:
        """Return the form for `--json`."""
        return {
            "compared": self.compared,
            "repeated": self.repeated,
            "differing": self.differing,
            "lagging": self.lagging,
            "left": self.left,
            "differences": self.differences,
        }
