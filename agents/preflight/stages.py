"""Can every stage start, and read on where it stands?"""

from collections.abc import Iterator

from agents.kafka.consumer_groups import reported
from agents.kafka.log_reader import LogReader
from agents.preflight.finding import PreflightFinding, Severity
from agents.preflight.situation import Situation
from agents.stages import SCORING, STAGES, Store
from agents.transport.start_offsets import KafkaOffsets, starts_of
from schemas.topics import CUSTOMER_EVENTS, LABELLED_EXAMPLES
from streams.errors import LogGap, TidecastError, Unavailable
from streams.log import Stage, TopicPartition
from streams.timeline import PartitionHeader

NAME = "stages"


def stages(situation: Situation) -> Iterator[PreflightFinding]:
    """Build every stage under the deployment and let it find its positions, as a worker does. Nothing is written.

    History is left out: it starts afresh by itself."""
    if situation.before is None:
        return
    with situation.reader() as reader:
        for row in STAGES.values():
            if row.name not in situation.stages or row.store is Store.TABLES:
                continue
            for group, stage in row.build(situation.wiring).items():
                try:
                    _start(situation, reader, group, stage)
                except Unavailable:
                    raise
                except TidecastError as error:
                    yield PreflightFinding(NAME, Severity.STOPS, str(error))
    if SCORING.name in situation.stages:
        yield from _served(situation)


def _start(situation: Situation, reader: LogReader, group: str, stage: Stage) -> None:
    there = situation.partitions
    places = [
        TopicPartition(topic, partition)
        for topic in stage.topics
        for partition in range(there.get(topic, 0))
        if stage.wants(TopicPartition(topic, partition))
    ]
    # in this order: a running worker moves its position first, then what its group has reported
    told = reported(situation.settings, group, places)
    found = stage.assign(places)
    kept = {place: KafkaOffsets(*reader.bounds(place), told[place]) for place in places}
    for place, start in starts_of(group, places, found, kept, stage.stateless).items():
        left = place.topic == CUSTOMER_EVENTS or (place.topic == LABELLED_EXAMPLES and start < kept[place].end)
        if start > 0 and not found.get(place) and left:
            raise LogGap(
                f"{group} has not yet read {place.topic}[{place.partition}], and the log begins at {start}: the "
                "deployment and what followed it were deleted. Deploy into new topics, with another "
                "TIDECAST_TOPIC_PREFIX and a longer retention, and publish there."
            )


def _served(situation: Situation) -> Iterator[PreflightFinding]:
    """Scoring waits for ever for a snapshot that is gone."""
    wiring = situation.wiring
    count = min(wiring.deployment.partitions, situation.partitions.get(CUSTOMER_EVENTS, 0))
    headers = [packed for _, packed in wiring.scoring_store.positions(range(count)).values() if packed]
    named = {each.snapshot for packed in headers for each in PartitionHeader.unpack(packed).serving.values()}
    folders = {path.rpartition("/")[0] for path in named}
    there = {path for folder in folders for path in wiring.models.list(f"{folder}/")}
    gone = sorted(named - there)
    if gone:
        more = f" and {len(gone) - 1} more" if len(gone) > 1 else ""
        text = (
            f"The model store lacks {gone[0]}{more}, which scoring serves: put it back from a backup, or stop the "
            "workers and run `tidecast rebuild learning`."
        )
        yield PreflightFinding(NAME, Severity.HARMS, text)
