"""The closing text of the demo: what was seen, and what was promised and not seen."""

from dataclasses import dataclass

from agents.demo.story import Story
from agents.demo.view import alert_line
from agents.formatting import number
from agents.operations.status import EVENTS, SystemStatus


@dataclass(frozen=True, slots=True)
class Closing:
    """How the demo ended. simulated: events published; first_prediction: seconds after the stack was up."""

    story: Story
    status: SystemStatus
    simulated: int
    first_prediction: float | None


def told(closing: Closing) -> str:
    """Return the closing summary."""
    story, counters = closing.story, closing.status.counters
    parts = " + ".join(f"{counters.get(name, 0):,} {name}" for name in EVENTS)
    before, after = story.opened(False), story.opened(True)
    lines = [
        "What was seen",
        f"  events       {closing.simulated:,} simulated; published {closing.status.published:,} = {parts}",
        f"  predictions  {counters.get('predictions', 0):,}, the first one "
        f"{number(closing.first_prediction or float('nan'))} s after the servers were up; "
        f"{counters.get('examples', 0):,} labelled examples learnt from",
        f"  fallbacks    {closing.status.champions_fallbacks:,} answers of champions after their first versions",
        f"  churn        {_churn(story)}",
        f"  spend        {_spend(story)}",
        f"  alerts       {len(before)} before the campaign, {len(after)} since:",
        *(f"    {alert_line(alert)}" for alert in after[:8]),
    ]
    if len(after) > 8:
        lines.append(f"    … and {len(after) - 8} more")
    return "\n".join(lines)


def _churn(story: Story) -> str:
    if story.before is None or story.dip is None or story.after is None:
        return "not enough questions were answered to say"
    day, worst = story.dip
    return (
        f"the champion's AUC: {story.before:.3f} before the campaign (day {story.plan.campaign_day}), down to "
        f"{worst:.3f} for questions asked up to day {day}, {story.after:.3f} on the last questions answered"
    )


def _spend(story: Story) -> str:
    found = story.quality("spend", story.matured("spend", story.plan.days))
    if not found:
        return "not enough questions were answered to say"
    return "mean absolute error " + ", ".join(f"{arm} {value:.2f}" for arm, value in found.items())


def missing(closing: Closing) -> list[str]:
    """Return what was promised and not seen."""
    story, status = closing.story, closing.status
    lacking = []
    if not story.counts["predictions"]:
        lacking.append("no prediction was seen")
    if not story.opened(True):
        lacking.append("no alert opened after the campaign began")
    if not story.recovered:
        lacking.append("the model did not recover")
    if closing.simulated != status.published:
        lacking.append(f"{closing.simulated:,} events were simulated and {status.published:,} accounted for")
    return lacking
