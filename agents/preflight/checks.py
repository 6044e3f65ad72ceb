"""The table of checks, and when each of them is made."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from agents.preflight.beginning import beginning
from agents.preflight.definitions import definitions
from agents.preflight.finding import PreflightFinding, Severity
from agents.preflight.partitions import partitions
from agents.preflight.room import room
from agents.preflight.situation import Moment, Situation
from agents.preflight.stages import stages
from agents.preflight.state_server import state_server
from agents.preflight.topics import topics
from streams.errors import SettingError, TidecastError, Unavailable

DEPLOY, START, STATUS, RUNNING = Moment.DEPLOY, Moment.START, Moment.STATUS, Moment.RUNNING


@dataclass(frozen=True, slots=True)
class PreflightCheck:
    """One check. look: returns what is wrong, and may raise a TidecastError, which is a finding as well."""

    name: str
    look: Callable[[Situation], Iterable[PreflightFinding]]
    moments: frozenset[Moment]


CHECKS = tuple(
    PreflightCheck(name, asked, frozenset(moments))
    for name, asked, moments in (
        ("room for targets", room, (DEPLOY,)),
        ("definitions", definitions, (DEPLOY,)),
        ("partitions", partitions, (DEPLOY, START, STATUS, RUNNING)),
        ("topic settings", topics, (DEPLOY, START, STATUS, RUNNING)),
        ("beginning of the logs", beginning, (DEPLOY, START, STATUS)),
        ("Redis", state_server, (DEPLOY, START, STATUS, RUNNING)),
        ("stages", stages, (DEPLOY, START, STATUS)),
    )
)
"""All checks, in their order. The signing key is checked where the deployment is read."""


def ask(situation: Situation) -> list[PreflightFinding]:
    """Make the checks of this moment; return what they find, what stops first.

    Raises Unavailable before a deployment and beside a running worker. Otherwise a server that is away is a note:
    whoever needs it says so, or waits for it."""
    found: dict[str, PreflightFinding] = {}
    for check in CHECKS:
        if situation.moment in check.moments:
            for finding in _answers(check, situation):
                found.setdefault(finding.text, finding)  # several checks may meet the same error
    order = list(Severity)
    return sorted(found.values(), key=lambda finding: order.index(finding.severity))


def _answers(check: PreflightCheck, situation: Situation) -> list[PreflightFinding]:
    try:
        return list(check.look(situation))
    except Unavailable as away:
        if situation.moment in (DEPLOY, RUNNING):
            raise
        return [PreflightFinding(check.name, Severity.NOTE, f"It was not checked: {away}")]
    except TidecastError as error:
        return [PreflightFinding(check.name, Severity.STOPS, str(error))]


def refuse(found: Iterable[PreflightFinding], *severities: Severity) -> None:
    """Raise SettingError with all findings of these severities, when there is one."""
    texts = [finding.text for finding in found if finding.severity in severities]
    if texts:
        raise SettingError("\n".join(texts))
