"""Have the topics the partitions that were deployed?"""

from collections.abc import Iterator

from agents.preflight.finding import PreflightFinding, Severity
from agents.preflight.situation import Situation
from schemas.topics import CUSTOMER_EVENTS, TOPICS

NAME = "partitions"


def partitions(situation: Situation) -> Iterator[PreflightFinding]:
    """Fewer partitions stop a stage. Further ones are ignored: their records are counted."""
    for name, count in situation.partitions.items():
        deployed = TOPICS[name].count(situation.deployment.partitions)
        if count < deployed:
            severity = Severity.STOPS if situation.before else Severity.HARMS
            yield PreflightFinding(NAME, severity, _fewer(situation, name, count, deployed), name)
        elif count > deployed:
            yield PreflightFinding(NAME, Severity.NOTE, _further(situation, name, count, deployed), name)


def foreign_records(situation: Situation) -> dict[str, int]:
    """Return the number of records in partitions beyond the deployed ones, by topic that has such partitions."""
    found = {}
    for name, count in situation.partitions.items():
        deployed = TOPICS[name].count(situation.deployment.partitions)
        if count > deployed:
            found[name] = sum(high - low for low, high in situation.logs.ends(name, count)[deployed:])
    return found


def _fewer(situation: Situation, name: str, count: int, deployed: int) -> str:
    real = situation.settings.topic(name)
    if situation.before is not None:
        return (
            f"The topic {real} has {count} partitions, and {deployed} were deployed: somebody deleted it and made it "
            "again. Restore it, or deploy into new topics, with another TIDECAST_TOPIC_PREFIX."
        )
    other = f", or deploy with --partitions {count}" if TOPICS[name].partitions is None else ""
    return f"The topic {real} has {count} partitions, and {deployed} are needed: deploy with --fix-topics{other}."


def _further(situation: Situation, name: str, count: int, deployed: int) -> str:
    real = situation.settings.topic(name)
    records = foreign_records(situation)[name]
    text = (
        f"The topic {real} has {count} partitions, and {deployed} were deployed: somebody added {count - deployed}. "
        f"The {records:,} records in them are ignored; partitions 0 to {deployed - 1} are processed as before."
    )
    if name == CUSTOMER_EVENTS:
        text += (
            " Kafka cannot remove partitions. A producer with the default partitioner now spreads its records over all "
            f"{count}: let it name the partition, murmur2(customer) modulo {deployed}, as `tidecast publish` does, and "
            "publish the ignored records again. To use more partitions, deploy into new topics, with another "
            "TIDECAST_TOPIC_PREFIX."
        )
    return text
