"""`tidecast verify`: replay the recorded logs into empty stores and compare."""

import gc
import json
import sys
import time
from typing import TYPE_CHECKING

import click
from rich.console import Console

from agents.settings import load_settings
from agents.stages import STAGES

if TYPE_CHECKING:
    from agents.verifying import Finding

GC_THRESHOLDS = (50_000, 50, 1_000)
"""Garbage collection thresholds. The decoded records of a batch live as long as the batch; with Python's defaults
the collector would scan them again and again."""


@click.command()
@click.argument("stages", nargs=-1, type=click.Choice(list(STAGES)))
@click.option("--use-case", envvar="TIDECAST_USE_CASE", help="Name or path; default: what was deployed last.")
@click.option("--json", "as_json", is_flag=True, help="Findings as one JSON object; progress on standard error.")
def command(stages: tuple[str, ...], use_case: str | None, as_json: bool) -> None:
    """Replay the log of each stage into empty stores, and compare the result with what the workers wrote.

    The comparison is byte for byte: features, open observations, predictions, examples, models, switches, metrics,
    profiles, alerts, accounting, and every row of the history.

    Run it when nothing is published. On a wall clock, stop the workers first. Each stage is compared as far as it has
    come; records after its position are left out, and counted.
    Exit code 0 when everything is identical, 1 when something differs.

    \b
    tidecast verify
    tidecast verify scoring learning
    tidecast verify history --json
    """
    from agents.fingerprint import running
    from agents.verifying import connect, verify
    from streams.deployment import differences

    out, progress = Console(highlight=False), Console(stderr=True, highlight=False)
    began = time.monotonic()
    gc.set_threshold(*GC_THRESHOLDS)
    findings = []
    with connect(load_settings(), use_case) as live, progress.status("reading") as status:
        for warning in differences(live.deployment.fingerprint, running()):
            progress.print(warning)
        for sentence in live.held_back():
            progress.print(sentence, markup=False, soft_wrap=True)
        before = live.state()
        for finding in verify(live, stages or STAGES, status.update):
            findings.append(finding)
            if not as_json:
                _show(finding, out)
        if live.state() != before:
            raise click.ClickException(
                "the workers processed records meanwhile: verify again when nothing is published"
            )
    progress.print(f"verified in {time.monotonic() - began:.1f} s", style="dim")
    if as_json:
        click.echo(json.dumps({finding.name: finding.as_json() for finding in findings}, indent=1))
    wrong = sum(bool(finding.differing) for finding in findings)
    if wrong:
        progress.print(f"{wrong} of {len(findings)} comparisons differ")
        if any(finding.lagging for finding in findings):
            progress.print(
                "A stage has processed nothing yet, or has lost its position, so this result says nothing. Start the "
                "workers, wait until `tidecast status` shows no lag, and verify again."
            )
        sys.exit(1)
    if not as_json:
        out.print("a replay of the logs gives the same result, byte for byte")


def _show(finding: "Finding", out: Console) -> None:
    mark = "[red]differs[/]" if finding.differing else "[green]identical[/]"
    repeated = f", {finding.left:,} left" if finding.left else ""
    repeated += f", {finding.repeated:,} {finding.repetition}" if finding.repeated else ""
    out.print(f"{finding.what}: {finding.compared:,} compared{repeated}, {mark}", soft_wrap=True)
    for difference in finding.differences:
        out.print(f"  {difference}", markup=False, soft_wrap=True)
    if finding.differing > len(finding.differences):
        out.print(f"  and {finding.differing - len(finding.differences):,} more")
