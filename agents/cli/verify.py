"""`tidecast verify`: replay the recorded logs into empty stores and compare."""

import sys

import click
from rich.console import Console

from agents.settings import load_settings


@click.command()
@click.argument("stages", nargs=-1, type=click.Choice(("scoring", "learning", "judging", "monitoring")))
@click.option("--use-case", envvar="TIDECAST_USE_CASE", help="Name or path; default: what was deployed last.")
def command(stages: tuple[str, ...], use_case: str | None) -> None:
    """Replay what the logs recorded, each stage its own log, calmly into empty stores, and compare byte for byte
    with what the workers left: features, open observations, predictions, examples, models, metrics, profiles.

    Run it when the workers have caught up and nothing is published (stop them where the clock is the wall's).
    Exit code 0 when all is identical, 1 when something differs.

    \b
    tidecast verify
    tidecast verify scoring learning
    """
    from agents.verifying import CHECKS, connect

    console = Console()
    with connect(load_settings(), use_case) as live:
        before = live.state()
        wrong = 0
        for name, check in CHECKS.items():
            if stages and name not in stages:
                continue
            with console.status(name) as status:
                for finding in check(live, status.update if console.is_terminal else lambda text: None):
                    mark = "[red]differs[/]" if finding.differences else "[green]identical[/]"
                    console.print(f"{finding.what}: {finding.compared:,} compared, {mark}", highlight=False)
                    for difference in finding.differences:
                        console.print(f"  {difference}", highlight=False, markup=False)
                    wrong += bool(finding.differences)
        if live.state() != before:
            raise click.ClickException("the workers went on meanwhile: verify again when nothing is published")
    if wrong:
        console.print(f"{wrong} of the comparisons differ")
        sys.exit(1)
    console.print("a calm replay of the logs gives the same, byte for byte")
