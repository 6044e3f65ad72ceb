"""What stages have not worked off yet, by the offsets that they report to their groups."""

from confluent_kafka import Consumer, KafkaException
from confluent_kafka import TopicPartition as KafkaPartition

from agents.reading import TIMEOUT, LogReader
from agents.settings import Settings
from schemas.topics import CUSTOMER_EVENTS, LABELLED_EXAMPLES, PREDICTIONS
from streams.errors import TidecastError, Unavailable
from streams.log import TopicPartition

READERS = {"scoring": CUSTOMER_EVENTS, "judging": LABELLED_EXAMPLES, "monitoring": PREDICTIONS}
"""Stages that stop at records of definitions other than theirs, and what they read."""


def refuse_backlog(settings: Settings) -> None:
    """TidecastError when events, examples or predictions lie before a stage: those that were made under the
    definitions in force must be worked off under them. Ticks and other records without a key do not count."""
    with LogReader(settings) as reader:
        for stage, topic in READERS.items():
            places = reader.partitions(topic)
            for place, offset in _reported(settings, stage, places).items():
                low, high = reader.bounds(place)
                if any(record.key is not None for record in reader.read(place, max(low, offset), high)):
                    raise TidecastError(
                        f"{stage} has not worked off {topic} under the definitions in force: stop publishing, "
                        "wait until `tidecast status` shows no lag (their workers must run), then deploy again."
                    )


def _reported(settings: Settings, stage: str, places: list[TopicPartition]) -> dict[TopicPartition, int]:
    """The next offset that the stage's group reported for each partition; 0 where it never did."""
    group = f"{settings.topic_prefix}tidecast-{stage}"
    consumer = Consumer({**settings.confluent(), "group.id": group, "enable.auto.commit": False, "log_level": 0})
    try:
        asked = [KafkaPartition(settings.topic(topic), partition) for topic, partition in places]
        found = consumer.committed(asked, timeout=TIMEOUT)
    except KafkaException as error:
        raise Unavailable(f"Kafka does not tell the offsets of {group} ({error.args[0].str()}): try again") from None
    finally:
        consumer.close()
    return {place: max(0, told.offset) for place, told in zip(places, found, strict=True)}
