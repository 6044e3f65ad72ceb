"""What became of the rows of files: counts, reasons, and the rejected rows themselves."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from agents.importing.files.rows import Line


@dataclass(slots=True)
class FileReport:
    """What became of a file, read by one mapping.

    lines: physical lines after the header, in `unit`. rows: those that are no empty line. left_out: rows that make no
    record, since `where` leaves them out or their outcome is empty. rejected_lines: lines that rejected rows take."""

    path: Path
    unit: str
    lines: int = 0
    rows: int = 0
    rejected: int = 0
    rejected_lines: int = 0
    left_out: int = 0
    notes: list[str] = field(default_factory=list)

    @property
    def rejected_share(self) -> float:
        """Share of the lines whose rows are rejected. One rejected row may have swallowed many lines."""
        return self.rejected_lines / self.lines if self.lines else 0.0


@dataclass(slots=True)
class Report:
    """What became of all files. Times are event times in ms."""

    files: list[FileReport] = field(default_factory=list)
    events: int = 0
    outcomes: int = 0
    ticks: int = 0
    first: int | None = None
    last: int | None = None
    seconds: float = 0.0
    reasons: list[str] = field(default_factory=list)
    """Place and reason of the first rejected rows."""

    @property
    def records(self) -> int:
        """Number of events and outcomes."""
        return self.events + self.outcomes

    @property
    def rows(self) -> int:
        """Number of rows of all files."""
        return sum(file.rows for file in self.files)

    @property
    def rejected(self) -> int:
        """Number of rejected rows of all files."""
        return sum(file.rejected for file in self.files)


class RejectedRows:
    """Collects rows that do not fit. Counts them, keeps the first reasons, and writes all to a file if one is given."""

    KEPT = 20

    def __init__(self, report: Report, file: IO[str] | None) -> None:
        self._report = report
        self._file = file

    def add(self, file: FileReport, line: Line, reason: str) -> None:
        """Add a row that is not published."""
        file.rejected += 1
        file.rejected_lines += line.lines
        if len(self._report.reasons) < self.KEPT:
            place = f"{file.path}, " if self._report.files[1:] else ""
            self._report.reasons.append(f"{place}{file.unit} {line.number}: {reason}")
        if self._file is not None:
            found: dict[str, Any] = {"file": str(file.path), "line": line.number, "reason": reason, "row": line.row}
            self._file.write(json.dumps(found, default=str, ensure_ascii=True) + "\n")
