"""Does every log begin with its deployment?"""

from collections.abc import Iterator

from agents.kafka.schema_registry import HttpRegistry
from agents.kafka.topics import Logs, first_values, missing
from agents.preflight.finding import PreflightFinding, Severity
from agents.preflight.situation import Situation
from agents.settings import Settings
from schemas.catalog import load_schemas
from schemas.records import DEPLOYMENT, DeploymentRecord
from schemas.topics import CUSTOMER_EVENTS, LABELLED_EXAMPLES, TOPICS
from streams.avro.codec import Codec
from streams.deployment import Deployment
from streams.errors import LogGap, Undecodable

NAME = "beginning of the logs"
REMEDY = "restore it, or delete all topics of this system, or choose another TIDECAST_TOPIC_PREFIX; then deploy again"


def beginning(situation: Situation) -> Iterator[PreflightFinding]:
    """Topics that were deleted, or deleted and made again, have lost the meaning of their offsets."""
    if situation.before is None:
        return
    for name in missing(situation.partitions):
        text = f"The topic {situation.settings.topic(name)} was deleted although a deployment is in force: {REMEDY}."
        yield PreflightFinding(NAME, Severity.STOPS, text)
    for topic in (CUSTOMER_EVENTS, LABELLED_EXAMPLES):
        if topic in situation.partitions:
            text = void(situation.settings, situation.before, topic)
            if text:
                yield PreflightFinding(NAME, Severity.STOPS, text)


def refuse_void(settings: Settings, deployment: Deployment) -> None:
    """Raise LogGap where customer-events is no longer the topic that was deployed: records in it reach nobody."""
    text = void(settings, deployment, CUSTOMER_EVENTS)
    if text:
        raise LogGap(text)


def void(settings: Settings, deployment: Deployment, topic: str) -> str:
    """Return why a topic is not the one that was deployed; "" when it is.

    Partitions whose first records have expired say nothing: a stage that is behind finds out by its position."""
    logs = Logs(settings)
    count = min(TOPICS[topic].count(deployment.partitions), logs.partitions().get(topic, 0))
    bounds = logs.ends(topic, count)
    firsts = first_values(settings, topic, bounds)
    name = settings.topic(topic)
    with HttpRegistry(settings) as registry:
        codec = Codec(registry, load_schemas())
        for partition, ((low, high), first) in enumerate(zip(bounds, firsts, strict=True)):
            if high == 0:
                return (
                    f"Partition {partition} of {name} is empty although a deployment is in force: the topic was "
                    f"deleted and made again. {REMEDY.capitalize()}."
                )
            if low == 0 and _epoch(codec, first) != deployment.epoch:
                return (
                    f"Partition {partition} of {name} does not begin with the deployment that is in force: the topic "
                    f"was deleted and made again. {REMEDY.capitalize()}."
                )
    return ""


def _epoch(codec: Codec, first: bytes | None) -> int | None:
    """Return the log epoch that a first record states; None when it is no deployment."""
    try:
        name, record = codec.decode(first)
    except Undecodable:
        return None
    if name != DEPLOYMENT:
        return None
    deployment: DeploymentRecord = record
    return deployment["epoch"]
