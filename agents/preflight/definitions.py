"""Can these definitions follow those in force, without a loss?"""

from collections.abc import Iterator

from agents.preflight.finding import PreflightFinding, Severity
from agents.preflight.losses import losses
from agents.preflight.situation import Situation
from schemas.topics import CUSTOMER_EVENTS
from streams.log import TopicPartition

NAME = "definitions"
INSTEAD = (
    "Nothing was written, and the present workers can go on. Either leave these as they are and declare what is new "
    "beside them, under names of its own (a target that lists its `features` does not see new ones). Or deploy into a "
    "log of its own, with another TIDECAST_TOPIC_PREFIX, publish the history there, and keep the present workers "
    "until it has caught up."
)


def definitions(situation: Situation) -> Iterator[PreflightFinding]:
    """A log without a single event loses nothing by any change."""
    before, after = situation.before, situation.deployment
    if before is None or before.deployment_id == after.deployment_id:
        return
    found = losses(before.definitions, after.definitions)
    if found and is_used(situation):
        lost = "\n".join(f"  {each}" for each in found)
        text = f"These definitions cannot follow those in force in this log. This would be lost:\n{lost}\n{INSTEAD}"
        yield PreflightFinding(NAME, Severity.STOPS, text)


def is_used(situation: Situation) -> bool:
    """Return whether customer-events has, or had, a record of a customer.

    Ticks do not count."""
    before = situation.before
    count = min(before.partitions if before else 0, situation.partitions.get(CUSTOMER_EVENTS, 0))
    with situation.reader() as reader:
        for partition in range(count):
            place = TopicPartition(CUSTOMER_EVENTS, partition)
            low, high = reader.bounds(place)
            if low > 0 or any(record.key is not None for record in reader.read(place, low, high)):
                return True
    return False
