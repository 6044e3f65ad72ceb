"""What a check finds."""

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How much a finding matters.

    STOPS: a stage cannot go on. HARMS: data is at risk; `deploy` writes nothing before it is mended. NOTE: worth
    knowing."""

    STOPS = "stops"
    HARMS = "harms"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class PreflightFinding:
    """One thing that is not as it should be. text: what it is and what to do. subject: what it is about, such as a
    topic; with check and severity it tells findings apart whose text changes."""

    check: str
    severity: Severity
    text: str
    subject: str = ""

    @property
    def key(self) -> tuple[str, str, str]:
        """Return what stays the same while the finding lasts."""
        return self.check, self.severity.value, self.subject or self.text
