"""Shows the demo: a live view on a terminal, plain lines elsewhere."""

from collections.abc import Mapping
from dataclasses import dataclass

from rich.console import Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from agents.demo.story import COHORT, Alert, Story
from agents.formatting import moment, number, reasons
from schemas.records import PredictionRecord
from streams.usecases import UseCase

BARS = "▁▂▃▄▅▆▇█"
ALERTS = 6
"""Alerts shown at once."""
ROLES = {"champion": "bold green", "challenger": "cyan", "shadow": "cyan", "naive": "dim"}


@dataclass(slots=True)
class Pulse:
    """Current rates per second, lag in records, and `today`: the simulated day that scoring has reached."""

    today: float = 0.0
    events: float = 0.0
    predictions: float = 0.0
    examples: float = 0.0
    lag: int = 0
    published: int = 0
    fallbacks: int = 0
    """Of champions, since their first versions."""


def screen(story: Story, pulse: Pulse, use_case: UseCase, height: int = 50) -> Group:
    """Return the whole view. A small terminal shows fewer alerts and predictions."""
    arms = sum(len(target.arms) for target in use_case.targets)
    spare = height - (5 + arms + 5 + 2 + 3 + 1)
    alerts = min(ALERTS, max(1, spare // 2))
    return Group(
        Panel(_head(story, pulse), title="Tidecast: a simulated telecom", title_align="left", border_style="blue"),
        Panel(_quality(story, pulse, use_case), title="Quality of the answers", title_align="left"),
        Panel(
            _alerts(story, alerts),
            title="Drift alerts",
            title_align="left",
            border_style="red" if story.alerts else "dim",
        ),
        Panel(_latest(story, max(1, spare - alerts)), title="Latest predictions", title_align="left"),
    )


def _head(story: Story, pulse: Pulse) -> Group:
    plan = story.plan
    when = moment(plan.start_ms + int(pulse.today * 86_400_000))[:10]
    line = Text(f"day {pulse.today:.0f} of {plan.days} ({when})   ", style="bold")
    if pulse.today >= plan.campaign_day:
        line.append(
            f"since day {plan.campaign_day} a competitor's campaign lures young heavy users away", style="yellow"
        )
    else:
        line.append(
            f"who has a bad network leaves; a competitor's campaign comes on day {plan.campaign_day}", style="dim"
        )
    rates = Text(f"{pulse.events:,.0f} events/s   {pulse.predictions:,.0f} predictions/s   ")
    rates.append(f"{pulse.examples:,.0f} labelled examples/s   lag {pulse.lag:,} records")
    answered = f"{story.counts['predictions']:,} predictions, {pulse.fallbacks:,} of them fallbacks"
    total = Text(f"{pulse.published:,} events, {answered}, so far", style="dim")
    return Group(line, rates, total)


def _quality(story: Story, pulse: Pulse, use_case: UseCase) -> Group:
    table = Table("target", "arm", "role", box=None)
    table.add_column("on matured questions", justify="right")
    table.add_column("asked on days", justify="right")
    table.add_column("latest examples, any day", justify="right")
    for target in use_case.targets:
        last_day = story.matured(target.name, pulse.today)
        quality = story.quality(target.name, last_day)
        what, digits = ("AUC", 3) if target.kind == "binary" else ("MAE", 2)
        for arm in target.arms:
            value, recent = quality.get(arm.name), story.recent.get((target.name, arm.name))
            table.add_row(
                target.name,
                Text(arm.name, style=ROLES[arm.role]),
                arm.role,
                "-" if value is None or value != value else f"{what} {value:.{digits}f}",
                f"{max(0, last_day - COHORT)}–{last_day - 1}" if quality else "-",
                _recent(recent),
            )
    return Group(table, Text(), _curve(story))


def _recent(values: Mapping[str, float] | None) -> str:
    if values is None:
        return "-"
    name = "log_loss" if "log_loss" in values else "mae"
    return f"{name.replace('_', ' ')} {number(values[name])}" if name in values else "-"


def _curve(story: Story) -> Text:
    """Return the champion's AUC on churn, cohort by cohort; yellow where the campaign has an effect."""
    line = Text("champion's AUC on churn  ")
    if not story.curve:
        return line + Text("(its first questions are not all answered yet)", style="dim")
    touched = story.plan.campaign_day - story.plan.horizons["churn"]
    for day, value in sorted(story.curve.items())[-100:]:
        level = min(len(BARS) - 1, max(0, int((value - 0.5) / 0.4 * len(BARS))))
        line.append(BARS[level], style="yellow" if day > touched else "green")
    last = max(story.curve)
    return line + Text(f"  {story.curve[last]:.3f}")


def _latest(story: Story, most: int) -> Table:
    table = Table("customer", "asked", "target", "answer", "why", box=None)
    for prediction in list(reversed(story.latest))[:most]:
        value = prediction["value"]
        table.add_row(
            prediction["customer_id"],
            moment(prediction["asked_at"])[5:16],
            prediction["target"],
            f"{value:.1%}" if prediction["target"] == "churn" else f"{value:.2f} €",
            reasons(prediction["reasons"]),
        )
    return table


def _alerts(story: Story, most: int) -> Group | Text:
    if not story.alerts:
        return Text("none yet", style="dim")
    return Group(*(_alert(story, alert) for alert in story.alerts[-most:]))


def _alert(story: Story, alert: Alert) -> Text:
    over = alert.record["alert_id"] in story.closed
    style = "dim" if over else "bold red" if alert.record["severity"] == "critical" else "red"
    return Text(alert_line(alert) + (" (closed)" if over else ""), style=style, no_wrap=True, overflow="ellipsis")


def alert_line(alert: Alert) -> str:
    """Return an alert in one line."""
    return f"day {alert.day:.0f}: {alert.record['severity']}: {alert.record['message']}"


def plain_line(story: Story, pulse: Pulse, use_case: UseCase) -> str:
    """Return the state in one line."""
    parts = [
        f"day {pulse.today:.0f}/{story.plan.days}",
        f"{pulse.events:,.0f} events/s",
        f"{pulse.predictions:,.0f} predictions/s",
        f"lag {pulse.lag:,}",
    ]
    for target in use_case.targets:
        found = story.quality(target.name, story.matured(target.name, pulse.today))
        if found:
            values = ", ".join(f"{arm} {number(value)}" for arm, value in found.items())
            parts.append(f"{target.name} {'AUC' if target.kind == 'binary' else 'MAE'}: {values}")
    if story.latest:
        parts.append(_told(story.latest[-1]))
    return " | ".join(parts)


def _told(prediction: PredictionRecord) -> str:
    return f"latest: {prediction['target']} of {prediction['customer_id']} = {number(prediction['value'])}"
