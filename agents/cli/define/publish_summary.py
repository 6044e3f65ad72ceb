"""What `tidecast publish` tells: rejected rows, findings, and what was sent."""

import click

from agents.formatting import moment
from agents.importing.checks.findings import Findings
from agents.importing.report import FileReport, Report


def tell_rows(report: Report) -> None:
    """Print what became of the rows of each file."""
    for reason in report.reasons:
        click.echo(reason, err=True)
    if report.rejected > len(report.reasons):
        click.echo(f"… and {report.rejected - len(report.reasons):,} more rejected rows", err=True)
    for file in report.files:
        click.echo(_counted_rows(file))
        for note in file.notes:
            click.echo(f"  {note}", err=True)


def _counted_rows(file: FileReport) -> str:
    lines = f" in {file.lines:,} lines" if file.unit == "line" and file.lines != file.rows else ""
    rejected = f"{file.rejected:,} rejected"
    if file.rejected_lines != file.rejected:
        rejected += f" ({file.rejected_lines:,} lines)"
    left_out = f", {file.left_out:,} left out" if file.left_out else ""
    return f"{file.path}: {file.rows:,} rows{lines}, {rejected}{left_out}."


def tell_findings(found: Findings) -> None:
    """Print facts and doubts."""
    for fact in found.facts:
        click.echo(fact, err=True)
    for doubt in found.doubts:
        click.echo(f"Doubtful: {doubt}", err=True)


def tell_result(report: Report, dry_run: bool, clock: str) -> None:
    """Print what was sent."""
    if dry_run:
        click.echo(f"{report.records:,} records would be published.")
        return
    pace = f"{report.records / report.seconds:,.0f}/s" if report.seconds > 0 else "at once"
    click.echo(f"{_counted(report)} published in {report.seconds:.1f} s ({pace}).")
    if report.first is not None and report.last is not None:
        click.echo(f"Event time from {moment(report.first)} to {moment(report.last)}.")
    if clock == "external":
        click.echo(f"{report.ticks:,} ticks written to every partition.")


def _counted(report: Report) -> str:
    parts = [(report.events, "events"), (report.outcomes, "outcomes")]
    return " and ".join(f"{count:,} {word}" for count, word in parts if count) or "nothing"
