"""Do the topics keep what they must keep, and take what they must take?"""

from collections.abc import Iterator, Mapping

from agents.kafka.topic_settings import CLEANUP, IN_SYNC, LARGEST, RETENTION, RETENTION_BYTES, TIMESTAMPS, unfit
from agents.preflight.finding import PreflightFinding, Severity
from agents.preflight.situation import Situation
from schemas.topics import DAY_MS, TOPICS
from streams.errors import SettingError

NAME = "topic settings"
WHY = {
    CLEANUP: "records would be deleted by their key or their age",
    RETENTION: "records are deleted while they are still needed",
    RETENTION_BYTES: "records are deleted while they are still needed",
    LARGEST: "records that Tidecast writes would be refused",
    TIMESTAMPS: "producers' clocks decide what is far in the future",
}


def topics(situation: Situation) -> Iterator[PreflightFinding]:
    """Compare the topics' settings with those that `deploy` gives them."""
    try:
        found = situation.found_settings
    except SettingError as refused:
        yield PreflightFinding(NAME, Severity.NOTE, str(refused))
        return
    for name, wanted in changes(situation).items():
        yield PreflightFinding(NAME, Severity.HARMS, _told(situation, name, found[name], wanted))
    for name, replicas in situation.logs.replicas().items():
        if name in found and int(found[name][IN_SYNC]) > replicas:
            yield PreflightFinding(NAME, Severity.STOPS, _no_writing(situation, name, found[name][IN_SYNC], replicas))
    if found and 0 <= situation.forever_ms < DAY_MS:
        hours = situation.forever_ms / 3_600_000
        text = f"The topics keep records for {hours:g} h: a worker that is away for longer loses some and cannot go on."
        yield PreflightFinding(NAME, Severity.NOTE, f"{text} Deploy with a longer --retention.")


def changes(situation: Situation) -> dict[str, dict[str, str]]:
    """Return the settings to change: topic → name → value."""
    compared = {
        name: unfit(TOPICS[name], found, situation.forever_ms) for name, found in situation.found_settings.items()
    }
    return {name: wanted for name, wanted in compared.items() if wanted}


def _no_writing(situation: Situation, name: str, needed: str, replicas: int) -> str:
    command = situation.topic_settings.command(name, {IN_SYNC: str(replicas)})
    return (
        f"Nothing can be written to the topic {situation.settings.topic(name)}: {IN_SYNC} is {needed}, and it has "
        f"{replicas} replicas. Add replicas, or run {command}"
    )


def _told(situation: Situation, name: str, found: Mapping[str, str], wanted: Mapping[str, str]) -> str:
    real = situation.settings.topic(name)
    parts = "; ".join(f"{key} is {found[key]} and must be {value} ({WHY[key]})" for key, value in wanted.items())
    return (
        f"The topic {real} was made or changed by somebody else: {parts}. Run `tidecast deploy` with --fix-topics, or "
        f"{situation.topic_settings.command(name, wanted)}"
    )
