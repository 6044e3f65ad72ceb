"""`tidecast check`: validate a use case."""

import sys
from collections.abc import Sequence
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from streams.deployment import definitions_of, deployment_id
from streams.features.feature import Derived, names
from streams.targets.declaration import Ask
from streams.targets.outcome import EventOutcome
from streams.usecases import UseCase, check, read_use_case
from streams.usecases.event_cautions import event_cautions
from streams.usecases.target_cautions import target_cautions

COMMON = ("event_id", "customer_id", "occurred_at", "source")


@click.command()
@click.argument("use_case")
def command(use_case: str) -> None:
    """Show what USE_CASE declares, or what is wrong with it, before the first event.

    USE_CASE is the name of a shipped use case or the path of a folder or file that declares one (its usecase.py
    is run). Exit code 1 when something is wrong. A caution names what is valid and will hurt later.

    \b
    tidecast check telecom
    tidecast check ./myshop
    """
    found = read_use_case(use_case)
    problems = check(found)
    for problem in problems:
        click.echo(str(problem), err=True)
    if problems:
        click.echo(f"tidecast: {use_case} has {_some(len(problems), 'problem')}: correct them.", err=True)
        sys.exit(1)
    _show(found)
    for caution in [*event_cautions(found), *target_cautions(found.targets)]:
        click.echo(f"Caution: {caution}", err=True)


def _show(use_case: UseCase) -> None:
    terminal = sys.stdout.isatty()
    console = Console(width=None if terminal else 160, highlight=False)
    rows: list[Sequence[str]] = [
        (short, ", ".join(f["name"] for f in schema["fields"] if f["name"] not in COMMON))
        for short, schema in use_case.events.items()
    ]
    console.print(_table(("Event", "Fields"), rows))
    console.print(_table(("Feature", "Kind", "Of", "Over"), [_feature(each) for each in use_case.features]))
    rows = [(t.name, t.kind, _asked(t.ask), _outcome(t.outcome)) for t in use_case.targets]
    console.print(_table(("Target", "Kind", "Asked", "Outcome"), rows))
    rows = [(t.name, arm.name, arm.role, type(arm.model).__name__) for t in use_case.targets for arm in t.arms]
    console.print(_table(("Target", "Arm", "Role", "Model"), rows))
    parts = (("event", use_case.events), ("feature", use_case.features), ("target", use_case.targets))
    counts = ", ".join(_some(len(things), kind) for kind, things in parts)
    console.print(
        f"{use_case.name} is valid: {counts}; {use_case.clock} clock, allowed lateness {use_case.allowed_lateness}; "
        f"definitions {deployment_id(definitions_of(use_case))}.",
        soft_wrap=True,
    )


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    table = Table(*heads, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*row)
    table.add_row()
    return table


def _feature(feature: Any) -> tuple[str, str, str, str]:
    kind = type(feature).__name__
    if isinstance(feature, Derived):
        return feature.name, kind, " / ".join(feature.parts().values()), ""
    of = " + ".join(names(feature.of))
    if hasattr(feature, "field"):
        of += f".{feature.field}"
    if getattr(feature, "where", None):
        of += f" where {dict(feature.where)}"
    if getattr(feature, "equals", None) is not None:
        of += f" = {feature.equals!r}"
    unit = f"in {feature.unit}" if hasattr(feature, "unit") else ""
    return feature.name, kind, of, getattr(feature, "over", None) or unit


def _asked(ask: Ask) -> str:
    parts = [f"on {', '.join(ask.on)}"] if ask.on else []
    if ask.every:
        parts.append(f"every {ask.every}")
    if ask.while_active:
        parts.append(f"while active within {ask.while_active}")
    if ask.until:
        parts.append(f"until {', '.join(ask.until)}")
    return ", ".join(parts)


def _outcome(outcome: Any) -> str:
    kind = type(outcome).__name__
    if isinstance(outcome, EventOutcome):
        what = f"{outcome.event}.{outcome.field}" if hasattr(outcome, "field") else outcome.event
        return f"{kind} {what} over {outcome.over}" + (f" where {dict(outcome.where)}" if outcome.where else "")
    wait = f" within {outcome.horizon}" if outcome.horizon else ""
    default = getattr(outcome, "default", None)
    return kind + wait + ("" if default is None else f", else {default:g}")


def _some(number: int, kind: str) -> str:
    return f"{number} {kind}{'' if number == 1 else 's'}"
